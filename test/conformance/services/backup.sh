# Sourced by up: the part of Cinder that copies volumes into files, with the configuration of the Cinder of this machine.
install -d -o cinder -g cinder "$STATE/backups"
printf '[DEFAULT]\nbackup_driver = cinder.backup.drivers.posix.PosixBackupDriver\nbackup_posix_path = %s\n' "$STATE/backups" \
  > "$STATE/etc/backup.conf"
spawn cinder-backup cinder cinder-backup --config-file /etc/cinder/cinder.conf --config-file "$STATE/etc/backup.conf"
for _ in $(seq 30); do
  state=$(openstack volume service list --service cinder-backup -f value -c State)
  [ "$state" = up ] && break
  sleep 1
done
[ "$state" = up ] || { tail -5 "$STATE/log/cinder-backup.log" >&2; die "cinder-backup does not report itself"; }
