"""What a real Nova tells guests, through Neutron's metadata agent: recorded for metadata.test.ts.

Run as root on the machine of a lab with Debian 12's OpenStack, OS_CLIENT_CONFIG_FILE set, by the Python that has Nova:
    /usr/bin/python3 record.py > fixtures/nova-26.json
Makes what it needs in the project `demo`, and takes it away again.
"""

import base64, json, os, re, socket, subprocess, sys, tempfile, time

agent = "/var/lib/neutron/metadata_proxy"
key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 t"
user_data = "#!/bin/sh\necho hi\n"
cache_seconds = 16

ec2 = ["1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04", "latest"]
own = ["2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27", "2020-10-14", "latest"]
leaves = """ami-id ami-launch-index ami-manifest-path block-device-mapping hostname instance-action instance-id instance-type
  local-hostname local-ipv4 placement placement/availability-zone public-hostname public-ipv4 public-keys public-keys/
  public-keys/0 public-keys/0/ public-keys/0/openssh-key public-keys/0/_name public-keys/1 reservation-id security-groups
  security-groups/default security-groups/other hostname/x hostname/x/y ami-launch-index/x placement/nope kernel-id nope""".split()
files = "meta_data.json user_data password vendor_data.json network_data.json vendor_data2.json version content nope".split()
odd = """/ /ec2 /ec2/ /ec2/ec2 /ec2/latest/meta-data/hostname /openstack /openstack/ /openstack/nope /openstack/content /openstack/content/
  /openstack/content/0000 /openstack/content/0000/x /openstack/latest/meta_data.json/ /openstack/latest/meta_data.json/x
  /nope /latest /latest/ /latest/nope /latest/user-data /latest/user-data/ /latest/user-data/x /latest//meta-data//hostname //latest/meta-data/hostname
  /latest/meta-data/hostname/ /latest/meta-data/hostname?x=1 /latest/meta-data/hostname%2f /latest/meta-data%2fhostname
  /latest/meta-data/%68ostname /latest/meta-data/%2568ostname /latest/meta-data/%zz /latest/meta-data/%ff /latest/meta-data/%00
  /latest/meta-data/%23 /latest/meta-data/hostname%3fx /latest/meta-data/%C3%BC /latest/meta-data/. /latest/%2e%2e/openstack /latest/..
  /../../openstack/latest/../2012-08-10/ /latest;x/meta-data /constructor /latest/__proto__ /latest/meta-data/constructor""".split()


def ask(question, server):
    s = socket.socket(socket.AF_UNIX)
    s.connect(agent)
    s.settimeout(20)
    body = base64.b64decode(question.get("body", ""))
    headers = {"Host": "169.254.169.254", "Accept": "*/*", **question.get("headers", {})}
    headers = {name: value for name, value in headers.items() if value is not None}
    headers.update({"X-Forwarded-For": server["fixed"], "X-Neutron-Network-ID": server["network"], "Connection": "close"})
    if question["method"] in ("POST", "PUT"):
        headers["Content-Length"] = len(body)
    lines = [f"{question['method']} {question['path']} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
    answer = b""
    try:
        while piece := s.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    head, _, content = answer.partition(b"\r\n\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])}
    return {"status": int(head.split()[1]), "type": fields.get("content-type"), "text": content.decode()}


def openstack(*words):
    command = ["openstack", "--os-cloud", "demo", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    return json.loads(done.stdout) if "json" in words else done.stdout.decode().strip()


def drive_of(uuid):
    """The files as Nova's driver has them written, for a server with an injected file and a password."""
    from nova import config, context, objects

    config.parse_args(["nova", "--config-file", "/etc/nova/nova.conf"])
    objects.register_all()
    from nova.api.metadata import base

    admin = context.get_admin_context()
    cell = objects.InstanceMapping.get_by_instance_uuid(admin, uuid).cell_mapping
    with context.target_cell(admin, cell) as inside:
        wanted = "ec2_ids flavor info_cache metadata system_metadata security_groups keypairs device_metadata numa_topology"
        instance = objects.Instance.get_by_uuid(inside, uuid, expected_attrs=wanted.split())
        told = base.InstanceMetadata(instance, content=[("/etc/greeting", b"hello")], extra_md={"admin_pass": "ChosenByMe1"})
        return {path: value.decode() if isinstance(value, bytes) else value for path, value in told.metadata_for_config_drive()}


def facts_of(name, floating):
    server = openstack("server", "show", name, "-f", "json")
    port = openstack("port", "list", "--server", name, "-f", "json")[0]
    return {
        "id": server["id"],
        "project": server["project_id"],
        "network": openstack("network", "show", "metadata", "-f", "value", "-c", "id"),
        "port": port["ID"],
        "mac": port["MAC Address"],
        "fixed": port["Fixed IP Addresses"][0]["ip_address"],
        **({"floating": floating} if floating else {}),
    }


def make(folder):
    for name, text in (("key", key), ("user-data", user_data)):
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)
    openstack("network", "create", "metadata")
    openstack("subnet", "create", "--network", "metadata", "--subnet-range", "10.30.0.0/24", "--dns-nameserver", "10.30.0.3", "metadata")
    openstack("router", "create", "metadata", "--external-gateway", "public")
    openstack("router", "add", "subnet", "metadata", "metadata")
    openstack("keypair", "create", "--public-key", f"{folder}/key", "metadata-key")
    openstack("security", "group", "create", "metadata")
    web = ["--key-name", "metadata-key", "--user-data", f"{folder}/user-data", "--property", "role=web", "--property", "zone=blue"]
    for name, more in (("Web Server_1", [*web, "--security-group", "default", "--security-group", "metadata"]), ("metadata-bare", [])):
        openstack("server", "create", "--flavor", "m1.small", "--image", "debian-12", "--network", "metadata", *more, "--wait", name)
    floating = openstack("floating", "ip", "create", "public", "-f", "value", "-c", "floating_ip_address")
    openstack("server", "add", "floating", "ip", "Web Server_1", floating)
    return floating


def remove(floating):
    steps = [["server", "delete", "--wait", "Web Server_1", "metadata-bare"], ["floating", "ip", "delete", floating],
             ["router", "remove", "subnet", "metadata", "metadata"], ["router", "delete", "metadata"],
             ["network", "delete", "metadata"], ["security", "group", "delete", "metadata"], ["keypair", "delete", "metadata-key"]]
    for step in steps:
        subprocess.run(["openstack", "--os-cloud", "demo", *step], stdout=sys.stderr)


def questions():
    get = lambda path, server="web", **more: {"server": server, "method": "GET", "path": path, **more}
    yield from (get(path) for path in odd)
    yield from (get(f"/{version}{end}") for version in ec2 for end in ("", "/meta-data/", "/user-data"))
    yield from (get(f"/latest/meta-data/{leaf}") for leaf in leaves)
    yield from (get(f"/openstack/{version}{end}") for version in own for end in ["", *(f"/{file}" for file in files)])
    for path in ("/latest", "/latest/meta-data", "/latest/user-data", "/latest/meta-data/public-keys", "/latest/meta-data/public-ipv4",
                 "/latest/meta-data/security-groups", "/openstack/2012-08-10", "/openstack/latest", "/openstack/latest/user_data",
                 "/openstack/latest/meta_data.json"):
        yield get(path, "bare")
    for accept in (None, "text/plain", "application/json", "text/html"):
        yield get("/nope", headers={"Accept": accept})
    for length in (7000, 8170, 8171, 8192):
        yield get("/" + "a" * length)
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        yield {"server": "web", "method": method, "path": "/latest/meta-data/hostname"}
    yield {"server": "web", "method": "HEAD", "path": "/nope"}
    password = "/openstack/latest/password"
    post = lambda body, path=password: {"server": "web", "method": "POST", "path": path, "body": base64.b64encode(body).decode()}
    yield from ({"server": "web", "method": method, "path": password} for method in ("GET", "HEAD", "PUT", "DELETE"))
    yield from (post(body) for body in (b"", b"x" * 1021, b"\xff\xfe"))
    yield post(b"y", "/openstack/2012-08-10/password")
    yield post("grün ".encode() + b"x" * 1014)
    yield {"wait": True}
    yield from (get(f"/openstack/{version}/password") for version in own[:2])
    yield post(b"z")
    yield post(b"x" * 1021)


def main():
    with tempfile.TemporaryDirectory() as folder:
        floating = make(folder)
        try:
            servers = {"web": facts_of("Web Server_1", floating), "bare": facts_of("metadata-bare", None)}
            time.sleep(cache_seconds)  # Nova looks a server up four times a minute
            asked = []
            for question in questions():
                if "wait" in question:
                    time.sleep(cache_seconds)
                    continue
                answer = ask(question, servers[question["server"]])
                asked.append({**question, **answer})
            drive = drive_of(servers["web"]["id"])
        finally:
            remove(floating)
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in asked)
    head = json.dumps({"servers": servers, "drive": drive}, ensure_ascii=False)[:-1]
    text = f'{head},\n"asked":[\n{lines}\n]}}'
    print(re.sub(r'(random_seed\\*": \\*")[A-Za-z0-9+/]{20}[A-Za-z0-9+/=]+', r"\1<seed>", text))


main()
