import { ec2Folder } from "./ec2.ts";
import type { Instance } from "./instance.ts";
import { metaData, openstackFile } from "./openstack.ts";
import { isSince, newestEc2, newestOpenstack, openstackVersions } from "./versions.ts";

/** What a config drive holds, by path. */
export type ConfigDrive = Record<string, string | Uint8Array>;

/** What each OpenStack version's folder has beside `meta_data.json`, the same in all of them, and from when on. */
const openstackOnDrive = [
  ["user_data", "2012-08-10"],
  ["vendor_data.json", "2013-10-17"],
  ["network_data.json", "2015-10-15"],
  ["vendor_data2.json", "2016-10-06"],
] as const;

/** The config drive of a server: what cloud-init reads as its `ConfigDrive` data source, in the layout that Nova writes. */
export function configDrive(instance: Instance): ConfigDrive {
  const { server } = instance;
  const files = (server.personality ?? []).map(({ path, contents }, index) => {
    const contentPath = `/content/${String(index).padStart(4, "0")}`;
    const content = new Uint8Array(Buffer.from(contents, "base64"));
    return { listed: { path, content_path: contentPath }, path: `openstack${contentPath}`, content };
  });
  const adminPass = (server.rescueImageId ? server.rescuePass : undefined) ?? server.adminPass;
  const drive: ConfigDrive = {};
  const { "meta-data": ec2Data, "user-data": ec2UserData } = ec2Folder(instance, newestEc2);
  // of EC2's versions Nova puts this one there, unless it is told otherwise (`config_drive_skip_versions`)
  for (const folder of [newestEc2, "latest"]) {
    if (ec2UserData instanceof Uint8Array) drive[`ec2/${folder}/user-data`] = ec2UserData;
    drive[`ec2/${folder}/meta-data.json`] = JSON.stringify(ec2Data);
  }
  const contents = openstackOnDrive.map(([name, first]) => ({
    ...{ name, first, content: openstackFile(instance, newestOpenstack, name)?.content },
  }));
  const named = openstackVersions.map((version) => ({ folder: version as string, version }));
  for (const { folder, version } of [...named, { folder: "latest", version: newestOpenstack }]) {
    const data = metaData(instance, version, { files: files.map(({ listed }) => listed), adminPass });
    drive[`openstack/${folder}/meta_data.json`] = JSON.stringify(data);
    for (const { name, first, content } of contents) {
      if (content !== undefined && isSince(version, first)) drive[`openstack/${folder}/${name}`] = content;
    }
  }
  for (const file of files) drive[file.path] = file.content;
  return drive;
}
