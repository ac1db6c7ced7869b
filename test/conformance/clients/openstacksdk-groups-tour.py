"""Leads openstacksdk through groups of volumes, which the `openstack` command makes without any: `python openstacksdk-groups-tour.py ANNOUNCE_TO`."""

import sys

import openstack
from announcing import listed, sdk_caller

call = sdk_caller(sys.argv[1])

cloud = openstack.connect(cloud="conformance", app_name="conformance")
admin = openstack.connect(cloud="conformance-admin", app_name="conformance")
volumes = cloud.block_storage

call("authorize", cloud.authorize)
kind = call("admin create_group_type", lambda: admin.block_storage.create_group_type(name="conformance-groups"))
default = call("find_type", lambda: volumes.find_type("__DEFAULT__"))
hidden = call("admin create_group_type that is hidden", lambda: admin.block_storage.create_group_type(name="conformance-hidden", is_public=False))
call("create_group of a hidden type", lambda: volumes.create_group(name="wrong", group_type=hidden.id, volume_types=[default.id]))
call("create_group of a hidden type by its name", lambda: volumes.create_group(name="wrong", group_type=hidden.name, volume_types=[default.id]))
call("admin delete_group_type that is hidden", lambda: admin.block_storage.delete_group_type(hidden, ignore_missing=False) or True)
group = call("create_group", lambda: volumes.create_group(name="pair", group_type=kind.id, volume_types=[default.id]))
one = call("create_volume in the group", lambda: volumes.create_volume(name="one", size=1, volume_type="__DEFAULT__", group_id=group.id))
two = call("create_volume", lambda: volumes.create_volume(name="two", size=1))
call("create_volume without the group's type", lambda: volumes.create_volume(name="wrong", size=1, group_id=group.id))
call("update_group with another volume", lambda: volumes.update_group(group.id, add_volumes=two.id))
call("update_group with it again", lambda: volumes.update_group(group.id, add_volumes=two.id))
call("update_group with none", lambda: volumes.update_group(group.id, add_volumes="00000000-0000-4000-8000-000000000000"))
call("update_group without a change", lambda: volumes.update_group(group.id, description=""))
call("get_group", lambda: volumes.get_group(group))
call("groups", lambda: listed(volumes.groups()))
call("get_volume of the group", lambda: volumes.get_volume(two))
call("volumes", lambda: listed(volumes.volumes()))
call("volumes of the group", lambda: listed(volumes.volumes(group_id=group.id)))
call("delete_volume of the group", lambda: volumes.delete_volume(two, ignore_missing=False) or True)
call("delete_group with volumes", lambda: volumes.delete_group(group) or True)

taken = call("create_group_snapshot", lambda: volumes.create_group_snapshot(group_id=group.id, name="taken", description="first"))
call("get_group_snapshot", lambda: volumes.get_group_snapshot(taken))
call("group_snapshots", lambda: listed(volumes.group_snapshots()))
call("snapshots", lambda: listed(volumes.snapshots()))
member = call("find_snapshot", lambda: next(snapshot for snapshot in volumes.snapshots() if snapshot.volume_id == one.id))
call("get_snapshot of the group", lambda: volumes.get_snapshot(member))
call("delete_snapshot of the group", lambda: volumes.delete_snapshot(member, ignore_missing=False) or True)
call("delete_group with snapshots", lambda: volumes.delete_group(group, delete_volumes=True) or True)

# it names both sources, of which Cinder wants one
call("create_group_from_source", lambda: volumes.create_group_from_source(name="wrong", group_snapshot_id=taken.id, source_group_id=None))


def copy_of(name, **source):
    answer = volumes.post("/groups/action", json={"create-from-src": {"name": name, **source}}, microversion="3.38")
    return volumes.get_group(answer.json()["group"]["id"]) if answer.ok else None


copy = call("a copy of the snapshot", lambda: copy_of("copy", group_snapshot_id=taken.id))
other = call("a copy of the group", lambda: copy_of("other", source_group_id=group.id))
call("a copy of none", lambda: copy_of("wrong", source_group_id="00000000-0000-4000-8000-000000000000"))
call("get_group of the copy", lambda: volumes.get_group(copy.id))
call("get_group of the other", lambda: volumes.get_group(other.id))
call("volumes with copies", lambda: listed(volumes.volumes()))

call("reset_group_status", lambda: volumes.reset_group_status(group, "error") or True)
call("admin reset_group_status", lambda: admin.block_storage.reset_group_status(group.id, "error") or True)
call("update_group in error", lambda: volumes.update_group(group.id, remove_volumes=two.id))
late = call("create_group_snapshot in error", lambda: volumes.create_group_snapshot(group_id=group.id, name="wrong"))
call("admin reset_group_status to nonsense", lambda: admin.block_storage.reset_group_status(group.id, "nonsense") or True)
call("admin reset_group_status back", lambda: admin.block_storage.reset_group_status(group.id, "available") or True)
call("admin reset_group_snapshot_status", lambda: admin.block_storage.reset_group_snapshot_status(taken.id, "error") or True)
wrong = call("a copy in error", lambda: copy_of("wrong", group_snapshot_id=taken.id))

call("delete_group_snapshot", lambda: volumes.delete_group_snapshot(taken, ignore_missing=False) or True)
call("get_group_snapshot of none", lambda: volumes.get_group_snapshot(taken))
call("get_snapshot of none", lambda: volumes.get_snapshot(member))
call("delete_group_snapshot of the other", lambda: [volumes.delete_group_snapshot(each) for each in [late] if each])
call("update_group without a volume", lambda: volumes.update_group(group.id, remove_volumes=two.id, name="single"))
call("update_group without it again", lambda: volumes.update_group(group.id, remove_volumes=two.id))
call("get_volume out of the group", lambda: volumes.get_volume(two))
call("delete_group", lambda: volumes.delete_group(group, delete_volumes=True) or True)
call("delete_group of copies", lambda: [volumes.delete_group(each, delete_volumes=True) for each in (copy, other, wrong) if each])
call("get_group of none", lambda: volumes.get_group(group.id))
call("volumes left", lambda: listed(volumes.volumes()))
call("delete_volume", lambda: volumes.delete_volume(two, ignore_missing=False) or True)
call("admin delete_group_type", lambda: admin.block_storage.delete_group_type(kind, ignore_missing=False) or True)
