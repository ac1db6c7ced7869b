# Sourced by up: an Octavia whose API asks Neutron for addresses, and whose worker pretends all the rest.
folder=$STATE/octavia
install -d -o octavia -g octavia "$folder"
install -d -o mysql -g mysql "$STATE/mysql"
mariadb-install-db --no-defaults --user=mysql --datadir="$STATE/mysql" --auth-root-authentication-method=socket \
  --skip-test-db >"$STATE/log/database.log" 2>&1
spawn database mysql mariadbd --no-defaults --datadir="$STATE/mysql" --socket="$STATE/mysql/sock" --pid-file="$STATE/mysql/pid" \
  --bind-address=127.0.0.1 --port=$DB_PORT --innodb-flush-log-at-trx-commit=0 --skip-log-bin --skip-name-resolve
wait_port $DB_PORT database
mariadb --no-defaults --socket="$STATE/mysql/sock" -u root <<X
CREATE DATABASE octavia CHARACTER SET utf8;
CREATE USER octavia@127.0.0.1 IDENTIFIED BY '$password';
GRANT ALL ON octavia.* TO octavia@127.0.0.1;
X

openssl req -x509 -newkey rsa:2048 -keyout "$folder/ca.key" -out "$folder/ca.pem" -days 30 -subj /CN=conformance \
  -passout "pass:$password" 2>/dev/null
config() { # DRIVER of networks
  cat <<X
[DEFAULT]
use_stderr = true
transport_url = $TRANSPORT_URL
[api_settings]
bind_host = 127.0.0.1
bind_port = $OCTAVIA_PORT
auth_strategy = keystone
api_handler = queue_producer
enabled_provider_drivers = amphora:The Octavia Amphora driver.,octavia:Deprecated alias of the Octavia Amphora driver.
allow_ping_health_monitors = true
[database]
connection = mysql+pymysql://octavia:$password@127.0.0.1:$DB_PORT/octavia
[health_manager]
heartbeat_key = $password
[certificates]
cert_generator = local_cert_generator
cert_manager = local_cert_manager
ca_certificate = $folder/ca.pem
ca_private_key = $folder/ca.key
ca_private_key_passphrase = $password
server_certs_key_passphrase = $(echo "$password" | head -c 32)
[controller_worker]
amp_flavor_id = 1
amp_image_tag = amphora
amp_boot_network_list = 00000000-0000-0000-0000-000000000001
client_ca = $folder/ca.pem
compute_driver = compute_noop_driver
amphora_driver = amphora_noop_driver
image_driver = image_noop_driver
volume_driver = volume_noop_driver
network_driver = $1
workers = 1
[oslo_messaging]
topic = octavia
[oslo_policy]
policy_file = $folder/policy.yaml
policy_dirs = $folder/policy.d
[service_auth]
$(login octavia)
[neutron]
region_name = $region
[keystone_authtoken]
www_authenticate_uri = $auth_url
$(login octavia)
X
}
config allowed_address_pairs_driver > "$folder/api.conf"
config network_noop_driver > "$folder/worker.conf"
# who may do what by Keystone's own roles, and not by Octavia's
cat > "$folder/policy.yaml" <<X
"context_is_admin": "role:admin"
"load-balancer:observer_and_owner": "role:reader and project_id:%(project_id)s"
"load-balancer:member_and_owner": "role:member and project_id:%(project_id)s"
X
chown -R octavia:octavia "$folder"
chmod 640 "$folder"/*.conf

service_user octavia
setpriv --reuid octavia --regid octavia --init-groups -- octavia-db-manage --config-file "$folder/api.conf" upgrade head \
  >"$STATE/log/schema.log" 2>&1 || { tail -5 "$STATE/log/schema.log" >&2; die "Octavia's schema"; }
spawn octavia-api octavia uwsgi_python3 --http-socket "127.0.0.1:$OCTAVIA_PORT" --wsgi-file /usr/bin/octavia-wsgi \
  --pyargv "--config-file $folder/api.conf" --master --die-on-term --processes 1 --threads 4 --enable-threads --lazy-apps \
  --buffer-size 65535 --disable-logging --add-header "Connection: close"
spawn octavia-worker octavia octavia-worker --config-file "$folder/worker.conf"
wait_port $OCTAVIA_PORT octavia-api
in_catalogue octavia load-balancer "http://127.0.0.1:$OCTAVIA_PORT"
