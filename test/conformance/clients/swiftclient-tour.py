"""Leads python-swiftclient through its calls: `python swiftclient-tour.py ANNOUNCE_TO AUTH_URL USER PROJECT`. What is next is announced, see announcements.ts."""

import hmac
import json
import os
import sys
import time

import requests
from announcing import caller
from keystoneauth1 import session
from keystoneauth1.identity import v3
from swiftclient import Connection

announce_to, auth_url, user, project = sys.argv[1:]
login = v3.Password(auth_url=auth_url, username=user, password=os.environ["TOUR_PASSWORD"], project_name=project, user_domain_name="Default", project_domain_name="Default")
swift = Connection(session=session.Session(auth=login), retries=0, os_options={"region_name": "RegionOne"})
connection = requests.Session()
call = caller(announce_to, lambda made: "ok", lambda error: f"{type(error).__name__} {getattr(error, 'http_status', '')}".strip())


def put(name, contents, **options):
    return swift.put_object("box", name, contents, **options)


def counted(headers, objects):
    """Swift counts an account's objects some seconds later."""
    for _ in range(60):
        found = headers()
        if found["x-account-object-count"] == objects:
            break
        time.sleep(1)
    return found


storage, own = call("get_auth", swift.get_auth)


def bare(method, path, token=own, headers=None, data=None):
    """A request as it is, which the client would make otherwise or not at all; who is refused is no failure of the client's."""
    url = storage + path
    request = requests.Request(method, url, headers={**(headers or {}), **({"X-Auth-Token": token} if token else {})}, data=data).prepare()
    request.url = url
    return connection.send(request)


def temporary(method, digest="sha256"):
    """The query of a temporary address of the object `b`."""
    expires = 4070908800
    path = storage[storage.index("/v1/") :] + "/box/b"
    signature = hmac.new(b"key", f"{method}\n{expires}\n{path}".encode(), digest).hexdigest()
    return f"temp_url_sig={signature}&temp_url_expires={expires}"


call("get_capabilities", lambda: swift.get_capabilities())
call("head_account", lambda: swift.head_account())
call("get_account", lambda: swift.get_account())
call("post_account", lambda: swift.post_account({"X-Account-Meta-Kind": "tour", "X-Account-Meta-Temp-URL-Key": "key"}))
call("head_account with metadata", lambda: swift.head_account())
call("post_account that removes", lambda: swift.post_account({"X-Account-Meta-Kind": ""}))
call("post_account with a quota", lambda: swift.post_account({"X-Account-Meta-Quota-Bytes": "1"}))

call("put_container", lambda: swift.put_container("box", {"X-Container-Meta-Kind": "tour"}))
call("put_container again", lambda: swift.put_container("box"))
call("put_container with a slash", lambda: swift.put_container("a%2Fb"))
call("put_container with a long name", lambda: swift.put_container("x" * 257))
call("put_container with a slash behind", lambda: swift.put_container("slashed/"))
call("delete_container with a slash behind", lambda: swift.delete_container("slashed/"))
call("head_container", lambda: swift.head_container("box"))
call("head_container of none", lambda: swift.head_container("nothing"))
call("get_container, empty", lambda: swift.get_container("box"))
call("post_container", lambda: swift.post_container("box", {"X-Container-Meta-Colour": "blue", "X-Container-Read": ".r:*", "X-Container-Write": f"{project}:*"}))
call("post_container with a bad ACL", lambda: swift.post_container("box", {"X-Container-Write": ".r:*"}))
call("post_container of none", lambda: swift.post_container("nothing", {}))
call("head_container with ACLs", lambda: swift.head_container("box"))

call("put_object", lambda: put("folder/a", b"content", content_type="text/plain", headers={"X-Object-Meta-Kind": "tour", "Content-Encoding": "identity", "Content-Disposition": "inline"}))
call("put_object with an etag", lambda: put("b", b"content", etag="9a0364b9e99bb480dd25e1f0284c8555"))
call("put_object with a wrong etag", lambda: put("wrong", b"content", etag="0" * 32))
call("put_object that is there, if it is not", lambda: put("b", b"content", headers={"If-None-Match": "*"}))
call("put_object with another condition", lambda: put("b", b"content", headers={"If-None-Match": "other"}))
call("put_object in no container", lambda: swift.put_object("nothing", "a", b"content"))
call("put_object with a name in UTF-8", lambda: put("\u00fcber", b"content"))
call("put_object of a folder", lambda: put("folder/", b"", content_type="application/directory"))
call("put_object with too long a name", lambda: put("x" * 1025, b"content"))
call("put_object with too much metadata", lambda: put("wrong", b"content", headers={"X-Object-Meta-Kind": "x" * 257}))
call("put_object that ends", lambda: put("ending", b"content", headers={"X-Delete-At": "4070908800"}))
call("put_object that has ended", lambda: put("wrong", b"content", headers={"X-Delete-At": "1"}))
call("put_object that ends at no time", lambda: put("wrong", b"content", headers={"X-Delete-After": "soon"}))
call("head_object", lambda: swift.head_object("box", "folder/a"))
call("head_object that ends", lambda: swift.head_object("box", "ending"))
call("head_object of none", lambda: swift.head_object("box", "nothing"))
call("get_object", lambda: swift.get_object("box", "folder/a"))
call("get_object of none", lambda: swift.get_object("box", "nothing"))
for name, headers in {
    "a part": {"Range": "bytes=1-2"},
    "the end": {"Range": "bytes=-2"},
    "what is not there": {"Range": "bytes=100-"},
    "two parts": {"Range": "bytes=0-1,3-4"},
    "no range": {"Range": "nonsense"},
    "if it matches": {"If-Match": "9a0364b9e99bb480dd25e1f0284c8555"},
    "if it matches another": {"If-Match": "other"},
    "if it does not match": {"If-None-Match": '"9a0364b9e99bb480dd25e1f0284c8555"'},
    "if it was changed": {"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"},
    "if it was not changed": {"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"},
}.items():
    call(f"get_object, {name}", lambda: swift.get_object("box", "b", headers=headers))
call("head_object, if it matches another", lambda: swift.head_object("box", "b", headers={"If-Match": "other"}))
call("post_object", lambda: swift.post_object("box", "folder/a", {"X-Object-Meta-Colour": "blue", "X-Delete-At": "4070908800"}))
call("head_object with other metadata", lambda: swift.head_object("box", "folder/a"))
call("post_object of none", lambda: swift.post_object("box", "nothing", {}))

call("get_container", lambda: swift.get_container("box"))
call("get_container by a delimiter", lambda: swift.get_container("box", delimiter="/"))
call("get_container by a prefix", lambda: swift.get_container("box", prefix="folder/", limit=1))
call("get_container by markers", lambda: swift.get_container("box", marker="b", end_marker="folder/a"))
call("get_container by a path", lambda: swift.get_container("box", path="folder"))
call("get_container backwards", lambda: swift.get_container("box", query_string="reverse=true"))
call("get_container with a limit that is too large", lambda: swift.get_container("box", limit=10001))
call("get_container with a slash behind", lambda: swift.get_container("box/", prefix="b"))
call("get_container of none", lambda: swift.get_container("nothing"))
call("get_account with a container", lambda: counted(lambda: swift.get_account()[0], "5"))
call("get_account by a prefix", lambda: swift.get_account(prefix="b", limit=1))
call("head_container with objects", lambda: swift.head_container("box"))

call("copy_object", lambda: swift.copy_object("box", "folder/a", "/box/copy", {"X-Object-Meta-Colour": "red"}))
call("head_object of the copy", lambda: swift.head_object("box", "copy"))
call("copy_object with fresh metadata", lambda: swift.copy_object("box", "folder/a", "/box/copy", fresh_metadata=True))
call("head_object of the fresh copy", lambda: swift.head_object("box", "copy"))
call("copy_object of none", lambda: swift.copy_object("box", "nothing", "/box/copy"))
call("copy_object to nowhere", lambda: swift.copy_object("box", "b", "/box"))
call("copy_object to no container", lambda: swift.copy_object("box", "b", "/nothing/copy"))
for name, headers in {
    "if it matches another": {"If-Match": "other"},
    "if it does not match": {"If-None-Match": "9a0364b9e99bb480dd25e1f0284c8555"},
    "if there is none": {"If-None-Match": "*"},
    "if it does not match another": {"If-None-Match": "other"},
    "if it was changed": {"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"},
    "if it was not changed": {"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"},
    "a part": {"Range": "bytes=1-2"},
}.items():
    call(f"copy_object, {name}", lambda: swift.copy_object("box", "b", "/box/conditional", headers))
call("put_object that copies", lambda: put("copy", b"", headers={"X-Copy-From": "box/b"}))
call("put_object that copies, with a body", lambda: put("copy", b"content", headers={"X-Copy-From": "box/b"}))

call("POST that makes it readable", lambda: swift.post_container("box", {"X-Container-Read": ".r:*"}))
call("GET by anybody", lambda: bare("GET", "/box/b", token=None))
call("HEAD by anybody", lambda: bare("HEAD", "/box/b", token=None))
call("GET of a list by anybody", lambda: bare("GET", "/box", token=None))
call("PUT by anybody", lambda: bare("PUT", "/box/b", token=None, data=b"content"))
call("GET of an account by anybody", lambda: bare("GET", "", token=None))
call("GET with a token that is none", lambda: bare("GET", "/box", token="nonsense"))
call("POST that makes it listable", lambda: swift.post_container("box", {"X-Container-Read": ".r:*,.rlistings"}))
call("GET of the list by anybody", lambda: bare("GET", "/box", token=None))
call("POST that makes it private", lambda: swift.post_container("box", {"X-Container-Read": ""}))
call("GET by nobody any more", lambda: bare("GET", "/box/b", token=None))
call("GET of a list as text", lambda: bare("GET", "/box?prefix=folder"))
call("GET of an empty list as text", lambda: bare("GET", "/box?prefix=nothing"))
call("GET of a list by Accept", lambda: bare("GET", "/box?prefix=b", headers={"Accept": "application/json"}))
call("head_account with objects", lambda: counted(swift.head_account, "7"))
call("GET of an account as text", lambda: bare("GET", ""))
call("GET behind two slashes", lambda: bare("GET", "//b"))
call("GET of another version", lambda: bare("GET", "/../../v2/AUTH_none"))
call("HEAD of a part", lambda: bare("HEAD", "/box/b", headers={"Range": "bytes=0-1"}))
call("GET of three parts that overlap", lambda: bare("GET", "/box/b", headers={"Range": "bytes=0-4,1-5,2-6"}))
for name, query, digest in [("", "", "sha256"), (" with a name", "&filename=other", "sha256"), (" to be shown", "&inline", "sha512")]:
    call(f"GET by a temporary address{name}", lambda: bare("GET", f"/box/b?{temporary('GET', digest)}{query}", token=None))
call("HEAD by a temporary address for GET", lambda: bare("HEAD", f"/box/b?{temporary('GET')}", token=None))
call("DELETE by a temporary address for GET", lambda: bare("DELETE", f"/box/b?{temporary('GET')}", token=None))
call("GET of another by a temporary address", lambda: bare("GET", f"/box/copy?{temporary('GET')}", token=None))
call("PUT of a pointer by a temporary address", lambda: bare("PUT", f"/box/b?{temporary('PUT')}", token=None, headers={"X-Object-Manifest": "box/b"}))
call("POST of nothing to delete", lambda: bare("POST", "?bulk-delete", headers={"Content-Type": "text/plain"}))

call("put_container of segments", lambda: swift.put_container("parts"))
for part in ("1", "2"):
    call(f"put_object of part {part}", lambda: swift.put_object("parts", f"large/{part}", f"part {part}".encode()))
call("put_object, dynamic", lambda: put("dynamic", b"", headers={"X-Object-Manifest": "parts/large/"}))
call("put_object, wrongly dynamic", lambda: put("wrong", b"", headers={"X-Object-Manifest": "parts"}))
call("get_object, dynamic", lambda: swift.get_object("box", "dynamic"))
call("head_object, dynamic", lambda: swift.head_object("box", "dynamic"))
segments = [{"path": "/parts/large/1", "size_bytes": 6}, {"path": "/parts/large/2"}]
call("put_object, static", lambda: put("static", json.dumps(segments), query_string="multipart-manifest=put"))
call("get_object, static", lambda: swift.get_object("box", "static"))
call("get_object, static, a part", lambda: swift.get_object("box", "static", headers={"Range": "bytes=4-8"}))
call("head_object, static", lambda: swift.head_object("box", "static"))
call("get_object, the manifest", lambda: swift.get_object("box", "static", query_string="multipart-manifest=get"))
call("put_object, static, of what is not there", lambda: put("wrong", json.dumps([{"path": "/parts/nothing"}]), query_string="multipart-manifest=put"))
call("put_object, static, of another size", lambda: put("wrong", json.dumps([{"path": "/parts/large/1", "size_bytes": 7}]), query_string="multipart-manifest=put"))
call("put_object, static, of nothing", lambda: put("wrong", "nonsense", query_string="multipart-manifest=put"))
call("get_container with large objects", lambda: swift.get_container("box"))
call("delete_object, static with its parts", lambda: swift.delete_object("box", "static", query_string="multipart-manifest=delete"))
call("get_object, dynamic, of no parts", lambda: swift.get_object("box", "dynamic"))
call("delete_container of segments", lambda: swift.delete_container("parts"))

call("put_container with versions", lambda: swift.put_container("shelf", {"X-Versions-Enabled": "true"}))
for text in ("one", "two"):
    call(f"put_object, version {text}", lambda: swift.put_object("shelf", "a", text))
call("head_object of a version", lambda: swift.head_object("shelf", "a"))
call("get_container of versions", lambda: swift.get_container("shelf", query_string="versions"))
call("get_container of current ones", lambda: swift.get_container("shelf"))
call("head_container of versions", lambda: swift.head_container("shelf"))
call("get_account with versions", lambda: counted(lambda: swift.get_account()[0], "11"))
call("delete_object, a version", lambda: swift.delete_object("shelf", "a"))
call("delete_object that is not there", lambda: swift.delete_object("shelf", "nothing"))
call("get_container after it", lambda: swift.get_container("shelf", query_string="versions"))
call("get_object, no version", lambda: swift.get_object("shelf", "a", query_string="version-id=nonsense"))
call("delete_container with versions", lambda: swift.delete_container("shelf"))
call("every version is deleted", lambda: [swift.delete_object("shelf", version["name"], query_string=f"version-id={version['version_id']}") for version in swift.get_container("shelf", query_string="versions")[1]])
call("head_container without versions", lambda: swift.head_container("shelf"))
call("delete_container without versions", lambda: swift.delete_container("shelf"))

call("post_container with quotas", lambda: swift.put_container("small", {"X-Container-Meta-Quota-Bytes": "8", "X-Container-Meta-Quota-Count": "1"}))
call("put_object within the quota", lambda: swift.put_object("small", "a", b"content"))
call("put_object beyond the quota", lambda: swift.put_object("small", "a", b"content"))
call("post_container with no quota", lambda: swift.post_container("small", {"X-Container-Meta-Quota-Bytes": "many"}))
call("post_account that deletes many", lambda: swift.post_account({"Content-Type": "text/plain", "Accept": "application/json"}, query_string="bulk-delete", data=b"small/a\nsmall\nnothing\n"))

call("delete_object", lambda: swift.delete_object("box", "b"))
call("delete_object again", lambda: swift.delete_object("box", "b"))
call("delete_container that is not empty", lambda: swift.delete_container("box"))
call("the rest is deleted", lambda: [swift.delete_object("box", one["name"]) for one in swift.get_container("box")[1]])
call("delete_container", lambda: swift.delete_container("box"))
call("delete_container again", lambda: swift.delete_container("box"))
call("get_account at the end", lambda: swift.get_account())
