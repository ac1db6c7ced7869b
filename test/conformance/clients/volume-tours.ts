/** What `openstack` is called with about backups, written as the other tours are; the administrator's commands are about Cinder here. */
export const backupTour = `
volume create data --size 1 --description first --property role=models
volume backup list
weekly = volume backup create data --name nightly --description first --property kept=yes : id
volume backup show nightly
volume show data
volume backup list --long
volume backup list --volume data --status available
volume backup list --name nothing
volume backup set nightly --description second --property tier=1
volume backup set nightly --name weekly --no-property --property colour=blue
volume backup unset weekly --property colour
volume backup show weekly
volume backup create data --name second --incremental
volume backup show second
volume backup show weekly
volume backup delete weekly
volume backup list --limit 1
volume backup create data --name boxed --container box --availability-zone nova
volume backup show boxed
volume backup create nothing
volume create empty --size 1
volume backup create empty --incremental
volume snapshot create snap --volume data
volume backup create data --name taken --snapshot snap
volume snapshot show snap
volume backup show taken
volume backup create empty --snapshot snap
volume backup set weekly --state error
@volume backup set $weekly --state error
volume backup restore weekly restored
@volume backup set $weekly --state available
@volume backup set $weekly --state nonsense
@volume backup show $weekly
@volume backup list --all-projects --long
@volume backup record export $weekly

volume backup restore weekly restored
volume show restored
volume backup restore weekly data
volume backup restore weekly data --force
volume show data
volume create larger --size 2 --property role=none
volume backup restore weekly larger --force
volume show larger
volume backup create larger --name large
volume backup restore large data --force
volume backup restore nothing data --force
volume backup show weekly
volume message list

server create web --image conformance --flavor conformance --nic none
server add volume web data
volume backup create data --name busy
volume backup create data --name busy --force
volume backup show busy
volume show data
volume backup restore busy data --force
server delete web
limits show --absolute

volume backup delete weekly second
volume backup delete second boxed taken busy
volume backup delete large --force
@volume backup delete large --force
@volume backup delete $weekly --force
volume backup delete large
volume backup show weekly
volume backup list
volume snapshot delete snap
volume delete data restored larger empty
`;

/** What it is called with about groups of volumes: it can make them and their types, and puts no volumes into them. */
export const groupTour = `
volume group type list
volume group type list --default
volume group type show default_cgsnapshot_type
volume group type create conformance-wrong
@volume group type create conformance-groups --description first
@volume group type create conformance-groups
hidden = @volume group type create conformance-hidden --private : ID
@volume group type set conformance-groups --description second --property kind=tour --property tier=1
@volume group type show conformance-groups
@volume group type unset conformance-groups --property tier
@volume group type set conformance-groups --no-property --property colour=blue
@volume group type list
volume group type list
volume group type show conformance-groups
volume group type show conformance-hidden
volume group type show $hidden
volume group type set conformance-groups --description third

volume group list
volume group create --volume-group-type conformance-groups --volume-type __DEFAULT__ --name pair --description first
volume group create --volume-group-type conformance-groups --volume-type nothing --name wrong
volume group create --volume-group-type nothing --volume-type __DEFAULT__ --name wrong
volume group create --volume-group-type conformance-groups --volume-type __DEFAULT__ --name wrong --availability-zone nowhere
volume group show pair
volume group show pair --volumes
volume group show pair --replication-targets
volume group list
volume group set pair --name couple --description second
volume group set couple --enable-replication
volume group failover couple
volume group create --source-group couple --name copy
volume group snapshot create couple --name taken
volume group snapshot list
volume group snapshot show taken
volume group snapshot delete taken
@volume group list --all-projects
@volume group type delete conformance-groups
volume group show couple
volume group delete couple
volume group show couple
@volume group type delete conformance-groups
@volume group type delete conformance-hidden
volume group type show conformance-groups
`;
