# Sourced by up: a Swift of one disk with the middlewares of its own sample configuration, and one storage policy.
disk=$STATE/disk
install -d -o swift -g swift "$disk" "$disk/one" "$STATE/swift"

for ring in account:$ACCOUNT_PORT container:$CONTAINER_PORT object:$OBJECT_PORT; do
  builder=$STATE/swift/${ring%:*}.builder
  swift-ring-builder "$builder" create 4 1 1
  swift-ring-builder "$builder" add "r1z1-127.0.0.1:${ring#*:}/one" 1
  swift-ring-builder "$builder" rebalance
done >"$STATE/log/rings.log"

# its name, and what its files are hashed with, stand in /etc/swift/swift.conf alone, which is Debian's
for server in account:$ACCOUNT_PORT container:$CONTAINER_PORT object:$OBJECT_PORT; do
  name=${server%:*}
  cat > "$STATE/swift/$name-server.conf" <<X
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${server#*:}
user = swift
swift_dir = $STATE/swift
devices = $disk
mount_check = false
workers = 1
log_name = $name
[pipeline:main]
pipeline = $name-server
[app:$name-server]
use = egg:swift#$name
X
done
printf '[container-updater]\ninterval = 1\naccount_suppression_time = 1\n' >> "$STATE/swift/container-server.conf"

cat > "$STATE/swift/object-expirer.conf" <<X
[DEFAULT]
swift_dir = $STATE/swift
user = swift
[object-expirer]
interval = 2
[pipeline:main]
pipeline = catch_errors proxy-logging symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
[filter:symlink]
use = egg:swift#symlink
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
X

# without memcached, for what it remembers is old for a minute
cat > "$STATE/swift/proxy-server.conf" <<X
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $SWIFT_PORT
user = swift
swift_dir = $STATE/swift
workers = 2
log_name = proxy
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging listing_formats bulk tempurl authtoken keystoneauth copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = $auth_url
delay_auth_decision = true
$(login swift)
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member, swiftoperator
project_reader_roles = reader
reseller_admin_role = admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
$(for one in catch_errors gatekeeper healthcheck proxy-logging:proxy_logging listing_formats bulk tempurl copy \
    container-quotas:container_quotas account-quotas:account_quotas slo dlo symlink; do
  printf '[filter:%s]\nuse = egg:swift#%s\n' "${one%:*}" "${one#*:}"
done)
X
chown -R swift:swift "$STATE/swift"

service_user swift
for name in account container object proxy; do
  spawn "swift-$name" swift env SWIFT_DIR="$STATE/swift" "swift-$name-server" "$STATE/swift/$name-server.conf" --verbose
done
spawn swift-updater swift swift-container-updater "$STATE/swift/container-server.conf" --verbose
spawn swift-expirer swift swift-object-expirer "$STATE/swift/object-expirer.conf" --verbose
wait_port $SWIFT_PORT swift-proxy
in_catalogue swift object-store "http://127.0.0.1:$SWIFT_PORT/v1/AUTH_%(project_id)s"
