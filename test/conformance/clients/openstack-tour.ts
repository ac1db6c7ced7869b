/**
 * What `openstack` is called with, a line a command: `@` is for the administrator in Keystone, and `NAME = COMMAND : FIELD` keeps a field of the
 * answer for later commands, which write it `$NAME`. `$FOLDER` is a folder of the run's own with the files `key.pub`, `user-data` and `content`.
 */
export const tour = `
token issue
catalog list
catalog show compute
project show conformance
user show conformance
extension list --network
extension list --compute
extension list --volume

application credential create ci --role reader --secret given --description tour
application credential list
application credential create ruled --secret given --expiration 2099-01-01T00:00:00 --access-rules [{"service":"compute","method":"GET","path":"/v2.1/flavors"}]
access = access rule list : 0.ID
application credential delete ruled
access rule delete $access
application credential delete ci
application credential show ci

@domain list
@domain show default
@role list
@project create conformance-other --description another --tag blue
@project show conformance-other
@project list --tags blue
@project create conformance-other
@user create conformance-other --project conformance-other --password given --email other@example.org
@user show conformance-other
@role add --project conformance-other --user conformance-other reader
@role assignment list --project conformance-other --names
@role remove --project conformance-other --user conformance-other reader
@user set conformance-other --disable
@user delete conformance-other
@project delete conformance-other
@project show conformance-other
@group list
@service list
@service show nova
@endpoint list --service nova
user list

flavor list --long
flavor show conformance
flavor show conformance-made
limits show --absolute
quota show
availability zone list
usage show

keypair create key --public-key $FOLDER/key.pub
keypair create made --private-key $FOLDER/made
keypair list
keypair show key
keypair create key --public-key $FOLDER/key.pub
keypair delete made
keypair show made
server group create apart --policy soft-anti-affinity --os-compute-api-version 2.64
server group list
group = server group show apart : id

network create net --description first --tag blue --mtu 1400
network create other
network show net
network unset net --tag blue
network list --long
network list --external
network list --name net
network show nothing
subnet create sub --network net --subnet-range 10.77.0.0/24 --dns-nameserver 10.77.0.3 --allocation-pool start=10.77.0.100,end=10.77.0.249 --tag blue
subnet create outside --network net --subnet-range 10.77.4.0/24 --gateway 10.99.0.1
subnet delete outside
subnet set sub --description first --dns-nameserver 10.77.0.4
subnet unset sub --dns-nameserver 10.77.0.3
subnet show sub
subnet list
subnet list --network other
subnet pool create pool --pool-prefix 10.77.64.0/18 --default-prefix-length 26
subnet pool delete pool
router create router --description first --tag blue
router set router --external-gateway public
router add subnet router sub
router set router --route destination=10.79.0.0/24,gateway=10.77.0.9
router show router
router unset router --route destination=10.79.0.0/24,gateway=10.77.0.9
router list --long
router delete router

security group create web --description first
security group rule create web --protocol tcp --dst-port 80:81 --remote-ip 10.77.0.0/24
security group rule create web --protocol tcp --dst-port 80:81 --remote-ip 10.77.0.0/24
rule = security group rule create web --protocol icmp --icmp-type 8 : id
security group rule list web --long
security group rule show $rule
security group rule delete $rule
security group show web
security group list
security group rule create web --protocol tcp --dst-port 99999

port create port --network net --fixed-ip subnet=sub,ip-address=10.77.0.20 --security-group web --description first
port create taken --network net --fixed-ip subnet=sub,ip-address=10.77.0.20
port show port
port list --network net --device-owner ""
port list --fixed-ip ip-address=10.77.0.20
port create free --network other --disable-port-security --no-security-group
port show free
port delete free
network trunk create trunk --parent-port port
network trunk show trunk
network trunk delete trunk

fip = floating ip create public --description first : floating_ip_address
floating ip list
floating ip set $fip --port port
floating ip show $fip
floating ip unset $fip --port
network delete net

image list --name conformance
image show conformance
image create picture --disk-format raw --container-format bare --file $FOLDER/content --min-disk 1 --property os_distro=debian --tag blue
image create empty --disk-format qcow2
image show picture
image set picture --property os_version=13
image unset picture --property os_version
image save picture --file $FOLDER/saved
image set picture --shared
image add project picture admin
image member list picture
image remove project picture admin
image show nothing
image delete empty
image create wrong --disk-format nonsense

volume type list
volume type show __DEFAULT__
volume create data --size 1 --description first --property role=models
volume show data
volume set data --property role=none --property tier=1
volume set data --size 2
volume list --long
volume list --name data
volume show nothing
volume create huge --size 100000
volume create bad --size 0
volume snapshot create snap --volume data --description first
volume snapshot list
volume snapshot show snap
volume snapshot set snap --property kept=yes
volume snapshot delete snap
volume backup list
volume transfer request create data --name given
volume transfer request list
volume transfer request delete given
volume summary
volume attachment list
availability zone list --volume

server create web --image conformance --flavor conformance --port port --key-name key --user-data $FOLDER/user-data --property role=web --tag blue --os-compute-api-version 2.93
server create wrong --image conformance --flavor conformance --network nothing
server create wrong --image nothing --flavor conformance --network net
server show web
server show web --os-compute-api-version 2.1
server list --long
server list --tags blue --os-compute-api-version 2.93
server set web --property colour=blue --tag green --description first --os-compute-api-version 2.93
console log show web
console log show web --lines 1
server event list web --os-compute-api-version 2.93
server volume list web
server add floating ip web $fip
server add volume web data
server volume list web
volume show data
volume delete data
server remove volume web data
server add security group web default
server remove security group web default
server stop web
server show web
server start web
server reboot web
server reboot --hard web
server pause web
server unpause web
server lock web --reason tour --os-compute-api-version 2.93
server reboot web
server show web --os-compute-api-version 2.93
server unlock web
server shelve web
server unshelve web
server show web
server rebuild web --image conformance --os-compute-api-version 2.93
server resize web --flavor conformance-large
server show web
server resize confirm web
server show web
server image create web --name taken
image show taken
image delete taken
server event list web --os-compute-api-version 2.93
server create grouped --image conformance --flavor conformance --network net --hint group=$group --os-compute-api-version 2.93
usage show
limits show --absolute

server delete web grouped
server show web
server group delete apart
floating ip delete $fip
floating ip show $fip
port delete port
router unset router --external-gateway
router remove subnet router sub
router delete router
security group delete web
subnet delete sub
network delete net
network delete other
keypair delete key
volume delete data
image delete picture
server list
`;

/** What only an administrator is called for: a process of the client keeps its first login for each service but Keystone. */
export const administratorTour = `
flavor create conformance-made --id conformance-made --ram 64 --vcpus 1 --disk 1 --ephemeral 1 --swap 16 --private --property hw:cpu_policy=shared
flavor show conformance-made
flavor delete conformance-made
quota set conformance --cores 19 --volumes 9 --floating-ips 49
quota delete conformance
compute service list
hypervisor list
hypervisor stats show
aggregate create conformance-hosts --property kind=fake
aggregate list --long
aggregate show conformance-hosts
aggregate delete conformance-hosts
floating ip list --long --project conformance
network agent list
ip availability list
volume type create conformance-type --description first --property speed=fast
volume type show conformance-type
volume type delete conformance-type
volume service list
server list --all-projects --name web
`;

/** What of Neutron stands apart from servers: what ranges and addresses come from and go to. */
export const networkTour = `
extension show address-group
extension show nothing
address scope create scope --ip-version 4
address scope create wrong --ip-version 4 --share
address scope set scope --name renamed
address scope show renamed
address scope list
subnet pool create pool --pool-prefix 10.77.0.0/16 --pool-prefix 10.78.0.0/16 --default-prefix-length 26 --address-scope renamed --tag blue
subnet pool create twin --pool-prefix 10.77.4.0/24 --address-scope renamed
subnet pool create wrong --pool-prefix 10.79.0.0/16 --min-prefix-length 28 --max-prefix-length 24
subnet pool set pool --description first --pool-prefix 10.80.0.0/16
subnet pool set pool --default-prefix-length 4
subnet pool show pool
subnet pool list --long
address scope delete renamed
network create pooled
subnet create first --network pooled --subnet-pool pool
subnet create second --network pooled --subnet-pool pool --prefix-length 24
subnet create third --network pooled --subnet-pool pool --subnet-range 10.77.9.0/24
subnet create wrong --network pooled --subnet-pool pool --subnet-range 10.77.9.0/25
subnet create wrong --network pooled --subnet-range 10.99.0.0/24
subnet list --network pooled --long
network show pooled
subnet pool delete pool

address group create addresses --address 10.1.0.0/16 --address 10.2.3.4 --description first
address group set addresses --address 10.3.0.0/16
address group set addresses --address 10.3.0.0/16
address group unset addresses --address 10.1.0.0/16
address group show addresses
address group list
security group create grouped
rule = security group rule create grouped --protocol tcp --dst-port 22 --remote-address-group addresses : id
security group rule create grouped --protocol tcp --dst-port 22 --remote-address-group addresses
security group rule show $rule
address group delete addresses
security group delete grouped
address group delete addresses

rbac = network rbac create pooled --type network --action access_as_shared --target-project conformance : id
network rbac create pooled --type network --action access_as_shared --target-project conformance
network rbac create pooled --type network --action access_as_shared --target-all-projects
network rbac create pooled --type network --action nothing --target-project conformance
network rbac show $rbac
network rbac list
network rbac delete $rbac
network rbac show $rbac
port create said --network pooled --fixed-ip subnet=first,ip-address=10.77.0.57 --device-owner network:router_interface --device nothing
port show said
port delete said
port create said --network public --device-owner network:dhcp

network agent list
ip availability list
network service provider list
availability zone list --network
network delete pooled
subnet pool delete pool
address scope delete renamed
address scope show renamed
`;

/** What Octavia is asked for. */
export const balancerTour = `
network create net
subnet create sub --network net --subnet-range 10.77.0.0/24 --allocation-pool start=10.77.0.10,end=10.77.0.249
loadbalancer provider list
loadbalancer provider capability list amphora
loadbalancer flavor list
loadbalancer availabilityzone list
loadbalancer quota defaults show
loadbalancer quota show conformance

loadbalancer create --name lb --vip-subnet-id sub --vip-address 10.77.0.30 --description first --tag blue
loadbalancer create --name wrong --vip-subnet-id sub --vip-address 10.99.0.1
loadbalancer create --name wrong --vip-subnet-id sub --provider nothing
loadbalancer show lb
loadbalancer list
loadbalancer list --name nothing
loadbalancer set lb --description second --tag green
loadbalancer unset lb --description
loadbalancer status show lb
loadbalancer stats show lb

loadbalancer listener create --name web --protocol HTTP --protocol-port 80 --connection-limit 100 --insert-headers X-Forwarded-For=true --allowed-cidr 10.0.0.0/8 --tag blue lb
loadbalancer listener create --name web --protocol HTTP --protocol-port 80 lb
loadbalancer listener create --name wrong --protocol HTTP --protocol-port 99999 lb
loadbalancer listener create --name wrong --protocol TCP --protocol-port 81 --insert-headers X-Forwarded-For=true lb
loadbalancer listener create --name secure --protocol TERMINATED_HTTPS --protocol-port 443 lb
loadbalancer listener set web --connection-limit -1 --timeout-client-data 1000
loadbalancer listener unset web --timeout-client-data
loadbalancer listener show web
loadbalancer listener list
loadbalancer listener list --loadbalancer lb
loadbalancer listener stats show web

loadbalancer pool create --name pool --listener web --protocol HTTP --lb-algorithm ROUND_ROBIN --session-persistence type=APP_COOKIE,cookie_name=sticky
loadbalancer pool create --name second --listener web --protocol HTTP --lb-algorithm ROUND_ROBIN
loadbalancer pool create --name wrong --loadbalancer lb --protocol HTTP --lb-algorithm ROUND_ROBIN --session-persistence type=APP_COOKIE
loadbalancer pool create --name other --loadbalancer lb --protocol HTTP --lb-algorithm LEAST_CONNECTIONS --tag blue
loadbalancer pool set pool --lb-algorithm SOURCE_IP --session-persistence type=HTTP_COOKIE
loadbalancer pool unset pool --session-persistence
loadbalancer pool show pool
loadbalancer pool list
loadbalancer listener set web --default-pool other
loadbalancer listener set web --default-pool pool

loadbalancer member create --name one --address 10.77.0.50 --protocol-port 8080 --subnet-id sub --weight 2 --tag blue pool
loadbalancer member create --name two --address 10.77.0.51 --protocol-port 8080 --backup --monitor-port 8081 --monitor-address 10.77.0.52 pool
loadbalancer member create --name one --address 10.77.0.50 --protocol-port 8080 --subnet-id sub pool
loadbalancer member create --name wrong --address nonsense --protocol-port 8080 pool
loadbalancer member create --name wrong --address 10.77.0.53 --protocol-port 8080 --weight 257 pool
loadbalancer member set --weight 3 --disable-backup pool two
loadbalancer member unset --monitor-port --monitor-address pool two
loadbalancer member show pool two
loadbalancer member list pool
loadbalancer member delete pool two

loadbalancer healthmonitor create --name check --type HTTP --delay 5 --timeout 3 --max-retries 3 --url-path /health --expected-codes 200-204 --http-method HEAD pool
loadbalancer healthmonitor create --name wrong --type TCP --delay 5 --timeout 3 --max-retries 3 pool
loadbalancer healthmonitor create --name wrong --type HTTP --delay 5 --timeout 3 --max-retries 30 other
loadbalancer healthmonitor create --name ping --type PING --delay 5 --timeout 3 --max-retries 3 other
loadbalancer healthmonitor set check --delay 7 --max-retries-down 2
loadbalancer healthmonitor unset check --max-retries-down --url-path
loadbalancer healthmonitor show check
loadbalancer healthmonitor list
loadbalancer status show lb

loadbalancer pool delete other
loadbalancer pool delete pool
loadbalancer healthmonitor list
loadbalancer delete lb
loadbalancer listener delete web
loadbalancer listener show web
loadbalancer pool create --name again --loadbalancer lb --protocol TCP --lb-algorithm ROUND_ROBIN
loadbalancer delete lb --cascade
loadbalancer show lb
loadbalancer list
loadbalancer pool list
`;

/** What Swift is asked for. */
export const objectTour = `
object store account show
object store account set --property kind=tour
object store account unset --property kind
container create box
container create box --public
container list --long
container set box --property colour=blue
container show box
container unset box --property colour
object create box $FOLDER/content --name folder/content
object create box $FOLDER/content --name other
object list box --long
object list box --prefix folder/
object list box --delimiter /
object show box other
object set box other --property colour=blue
object unset box other --property colour
object save box other --file $FOLDER/saved-object
object show box nothing
container delete box
container delete box --recursive
container show box
`;
