"""Leads openstacksdk through its calls: `python openstacksdk-tour.py ANNOUNCE_TO FOLDER OBJECTS`. What is next is announced, see announcements.ts."""

import sys
import urllib.request

import openstack

announce_to, folder, objects = sys.argv[1:]


def announce(what, said):
    request = urllib.request.Request(f"{announce_to}/{what}", said.encode(), method="POST")
    urllib.request.urlopen(request, timeout=150).read()


def call(name, run):
    """What `run` makes, or None where it is refused."""
    announce("begin", name)
    try:
        made = run()
        outcome = "ok" if made is not None else "nothing"
    except Exception as error:
        made, outcome = None, type(error).__name__
    announce("end", outcome)
    return made


def listed(generator):
    return [one.id for one in generator]


cloud = openstack.connect(cloud="conformance", app_name="conformance")
admin = openstack.connect(cloud="conformance-admin", app_name="conformance")

call("authorize", cloud.authorize)
call("identity.get_project", lambda: cloud.identity.get_project(cloud.current_project_id))
call("identity.projects", lambda: listed(cloud.identity.projects()))
call("identity.application_credentials", lambda: listed(cloud.identity.application_credentials(cloud.current_user_id)))
call("admin find_project", lambda: admin.identity.find_project("conformance"))
call("admin identity.role_assignments", lambda: listed(admin.identity.role_assignments(scope_project_id=cloud.current_project_id)))
call("admin list_services", lambda: admin.list_services())

call("list_flavors", cloud.list_flavors)
flavor = call("get_flavor", lambda: cloud.get_flavor("conformance"))
call("compute.find_flavor of none", lambda: cloud.compute.find_flavor("nothing"))
call("get_compute_limits", cloud.get_compute_limits)
call("compute.availability_zones", lambda: [zone.name for zone in cloud.compute.availability_zones(details=False)])
call("compute.get_quota_set", lambda: cloud.compute.get_quota_set(cloud.current_project_id, usage=True))
call("get_volume_quotas", lambda: admin.get_volume_quotas("conformance"))
call("network.get_quota", lambda: cloud.network.get_quota(cloud.current_project_id, details=True))

image = call("create_image", lambda: cloud.create_image("conformance-sdk", filename=f"{folder}/content", disk_format="raw", min_disk=1, tags=["tour"], wait=True, os_distro="debian"))
call("get_image", lambda: cloud.get_image("conformance-sdk"))
call("image.images", lambda: listed(cloud.image.images(name="conformance-sdk")))
call("update_image_properties", lambda: cloud.update_image_properties(image=image, os_version="13"))
call("image.add_tag", lambda: cloud.image.add_tag(image, "added") or True)
call("image.download_image", lambda: cloud.image.download_image(image).content)
call("image.get_image of none", lambda: cloud.image.get_image("00000000-0000-4000-8000-000000000000"))
call("delete_image", lambda: cloud.delete_image(image.id, wait=True))

net = call("create_network", lambda: cloud.create_network("net"))
sub = call("create_subnet", lambda: cloud.create_subnet(net.id, cidr="10.77.0.0/24", subnet_name="sub", dns_nameservers=["10.77.0.3"], allocation_pools=[{"start": "10.77.0.10", "end": "10.77.0.249"}]))
public = call("get_network of the outside", lambda: cloud.get_network("public", filters={"router:external": True}))
router = call("create_router", lambda: cloud.create_router("router", ext_gateway_net_id=public.id))
call("add_router_interface", lambda: cloud.add_router_interface(router, subnet_id=sub.id))
call("list_router_interfaces", lambda: [port.device_owner for port in cloud.list_router_interfaces(router, "internal")])
call("network.set_tags", lambda: cloud.network.set_tags(net, ["blue", "green"]))
call("network.networks by tag", lambda: listed(cloud.network.networks(tags="blue")))
call("network.networks by page", lambda: listed(cloud.network.networks(limit=1, is_router_external=False)))
call("update_network", lambda: cloud.update_network("net", description="first"))
call("update_subnet", lambda: cloud.update_subnet("sub", host_routes=[{"destination": "10.78.0.0/24", "nexthop": "10.77.0.9"}]))
call("network.create_subnet outside", lambda: cloud.network.create_subnet(network_id=net.id, ip_version=4, cidr="10.77.0.0/24"))
group = call("create_security_group", lambda: cloud.create_security_group("web", "first"))
call("create_security_group_rule", lambda: cloud.create_security_group_rule("web", 80, 81, "tcp", "10.77.0.0/24"))
call("create_security_group_rule of the group", lambda: cloud.create_security_group_rule("web", protocol="tcp", remote_group_id=group.id))
call("network.security_group_rules", lambda: listed(cloud.network.security_group_rules(security_group_id=group.id)))
port = call("create_port", lambda: cloud.create_port(net.id, name="port", fixed_ips=[{"ip_address": "10.77.0.20"}], security_groups=[group.id]))
call("update_port", lambda: cloud.update_port("port", allowed_address_pairs=[{"ip_address": "10.77.0.21"}]))
call("network.ports by address", lambda: listed(cloud.network.ports(fixed_ips="ip_address=10.77.0.20")))
call("network.create_ports", lambda: [one.name for one in cloud.network.create_ports([{"network_id": net.id, "name": f"bulk{n}", "fixed_ips": [{"ip_address": f"10.77.0.3{n}"}]} for n in (1, 2)])])
call("delete_port", lambda: [cloud.delete_port("bulk1"), cloud.delete_port("bulk2")])

call("create_keypair", lambda: cloud.create_keypair("key"))
call("list_keypairs", cloud.list_keypairs)
call("create_server_group", lambda: cloud.create_server_group("apart", ["soft-anti-affinity"]))
server = call("create_server", lambda: cloud.create_server("web", image="conformance", flavor=flavor, key_name="key", nics=[{"port-id": port.id}], meta={"role": "web"}, userdata="#cloud-config\n", config_drive=True))
call("get_server", lambda: cloud.get_server("web"))
call("list_servers", lambda: cloud.list_servers(detailed=True))
call("compute.servers by page", lambda: listed(cloud.compute.servers(limit=1)))
call("compute.wait_for_server", lambda: cloud.compute.wait_for_server(server))
call("update_server", lambda: cloud.update_server("web", name="web"))
call("set_server_metadata", lambda: cloud.set_server_metadata("web", {"colour": "blue"}) or True)
call("delete_server_metadata", lambda: cloud.delete_server_metadata("web", ["role"]) or True)
call("compute.add_tag_to_server", lambda: cloud.compute.add_tag_to_server(server, "blue") or True)
call("compute.server_interfaces", lambda: [one.port_id for one in cloud.compute.server_interfaces(server)])
call("compute.server_actions", lambda: [one.action for one in cloud.compute.server_actions(server)])
call("get_server_console", lambda: cloud.get_server_console("web", length=1))
fip = call("create_floating_ip", lambda: cloud.create_floating_ip("public", server=server, fixed_address="10.77.0.20", wait=False))
call("list_floating_ips", cloud.list_floating_ips)
volume = call("create_volume", lambda: cloud.create_volume(1, name="data", wait=False, metadata={"role": "models"}))
call("get_volume", lambda: cloud.get_volume("data"))
call("attach_volume", lambda: cloud.attach_volume(server, volume, wait=False))
call("compute.volume_attachments", lambda: listed(cloud.compute.volume_attachments(server)))
call("block_storage.volumes", lambda: listed(cloud.block_storage.volumes()))
call("detach_volume", lambda: cloud.detach_volume(server, volume, wait=False) or True)
call("block_storage.extend_volume", lambda: cloud.block_storage.extend_volume(volume, 2) or True)
call("create_volume_snapshot", lambda: cloud.create_volume_snapshot(volume.id, name="snap", wait=False))
call("delete_volume_snapshot", lambda: cloud.delete_volume_snapshot("snap", wait=False))
call("block_storage.get_limits", lambda: cloud.block_storage.get_limits())
call("delete_volume", lambda: cloud.delete_volume("data", wait=False))
for action in ("stop_server", "start_server", "lock_server", "unlock_server", "pause_server", "unpause_server", "suspend_server", "resume_server", "shelve_server", "unshelve_server"):
    call(f"compute.{action}", lambda: getattr(cloud.compute, action)(server) or True)
call("compute.reboot_server", lambda: cloud.compute.reboot_server(server, "HARD") or True)
call("compute.resize_server", lambda: cloud.compute.resize_server(server, "conformance-large") or True)
call("compute.revert_server_resize", lambda: cloud.compute.revert_server_resize(server) or True)
call("rebuild_server", lambda: cloud.rebuild_server(server.id, cloud.get_image("conformance").id))
call("compute.create_server_interface", lambda: cloud.compute.create_server_interface(server, net_id=net.id, fixed_ips=[{"ip_address": "10.77.0.40"}]))
call("delete_network in use", lambda: cloud.delete_network("net"))
call("delete_server", lambda: cloud.delete_server("web", wait=False))
call("get_server of none", lambda: cloud.get_server("web"))
call("delete_floating_ip", lambda: cloud.delete_floating_ip(fip.id))
call("delete_server_group", lambda: cloud.delete_server_group("apart"))
call("delete_keypair", lambda: cloud.delete_keypair("key"))
call("delete_port of the server", lambda: cloud.delete_port("port"))
call("remove_router_interface", lambda: cloud.remove_router_interface(router, subnet_id=sub.id) or True)
call("delete_router", lambda: cloud.delete_router("router"))
call("delete_security_group", lambda: cloud.delete_security_group("web"))
call("delete_network", lambda: cloud.delete_network("net"))

if objects == "true":
    call("create_container", lambda: cloud.create_container("box"))
    call("create_object", lambda: cloud.create_object("box", "object", data="content") or True)
    call("list_objects", lambda: listed(cloud.list_objects("box")))
    call("get_object", lambda: cloud.get_object("box", "object"))
    call("delete_object", lambda: cloud.delete_object("box", "object"))
    call("delete_container", lambda: cloud.delete_container("box"))
