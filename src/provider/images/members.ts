/** Glance's own members of an image; every other text is a property that somebody has set. */
export const ownMembers = new Set(
  "id name status visibility protected os_hidden checksum owner size virtual_size min_disk min_ram disk_format container_format created_at updated_at tags self file schema locations direct_url".split(
    " ",
  ),
);
