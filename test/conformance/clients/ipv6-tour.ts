/** What `openstack` is called with about IPv6, written as the other tours are. */
export const ipv6Tour = `
network create six
subnet create four --network six --subnet-range 10.66.0.0/24
subnet create slaac --network six --ip-version 6 --subnet-range 2001:db8:1::/64 --ipv6-ra-mode slaac --ipv6-address-mode slaac --dns-nameserver 2001:db8::53
subnet create stateful --network six --ip-version 6 --subnet-range 2001:DB8:2:0::/64 --ipv6-ra-mode dhcpv6-stateful --ipv6-address-mode dhcpv6-stateful --gateway 2001:db8:2::1
subnet create plain --network six --ip-version 6 --subnet-range 2001:db8:3::/80 --no-dhcp --allocation-pool start=2001:db8:3::10,end=2001:db8:3::20 --host-route destination=2001:db8:9::/64,gateway=2001:db8:3::5
subnet create wrong --network six --ip-version 6 --subnet-range 2001:db8:6::/64 --ipv6-ra-mode slaac --ipv6-address-mode dhcpv6-stateful
subnet create wrong --network six --ip-version 6 --subnet-range 2001:db8:6::/80 --ipv6-ra-mode slaac --ipv6-address-mode slaac
port create own --network six --mac-address fa:16:3e:00:00:01 --fixed-ip subnet=four,ip-address=10.66.0.9
port create chosen --network six --mac-address fa:16:3e:00:00:03 --fixed-ip subnet=stateful,ip-address=2001:DB8:2::0:7
port create wrong --network six --fixed-ip subnet=slaac,ip-address=2001:db8:1::5
port set chosen --no-fixed-ip
port show chosen
router create six
router add subnet six slaac
router add subnet six stateful
router show six
router remove subnet six stateful
router remove subnet six slaac
router delete six
security group create six
security group rule create six --ethertype IPv6 --protocol icmp
security group rule create six --ethertype IPv6 --protocol tcp --dst-port 22 --remote-ip 2001:DB8::5
security group rule create six --ethertype IPv4 --protocol ipv6-encap
security group delete six
subnet pool create six --pool-prefix 2001:db8:100::/47
subnet create pooled --network six --ip-version 6 --subnet-pool six
subnet pool delete six
port delete own
port delete chosen
network delete six
`;
