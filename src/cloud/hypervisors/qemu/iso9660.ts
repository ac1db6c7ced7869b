/** A file of an ISO 9660 image. */
interface IsoFile {
  name: string;
  content: Uint8Array;
}

interface IsoFolder {
  name: string;
  parent: IsoFolder | undefined;
  folders: IsoFolder[];
  files: IsoFile[];
}

const sector = 2048;

/** How a volume descriptor's tree writes names: as ISO 9660 has them, or as Joliet does, which keeps their case. */
interface Encoding {
  /** 1 is ISO 9660's own descriptor, 2 a further one. */
  descriptor: 1 | 2;
  folder: (name: string) => Buffer;
  file: (name: string) => Buffer;
  /** A text of the volume descriptor, padded with blanks. */
  text: (text: string, bytes: number) => Buffer;
}

const plain: Encoding = {
  descriptor: 1,
  // longer than 8.3, as mkisofs writes with -l: Linux shows them in small letters and without the version
  folder: (name) => Buffer.from(name.toUpperCase(), "latin1"),
  file: (name) => Buffer.from(`${name.toUpperCase()}${name.includes(".") ? "" : "."};1`, "latin1"),
  text: (text, bytes) => Buffer.from(text.padEnd(bytes, " "), "latin1"),
};
const ucs2 = (text: string) => Buffer.from(text, "utf16le").swap16();
const joliet: Encoding = {
  descriptor: 2,
  folder: ucs2,
  file: (name) => ucs2(`${name};1`),
  text: (text, bytes) => {
    const padded = ucs2(text.padEnd(bytes >> 1, " "));
    return Buffer.concat([padded, Buffer.alloc(bytes - padded.length)]);
  },
};

/**
 * An ISO 9660 image (ECMA-119) with Joliet names that holds these files, by path. All dates in it are absent, so that the same files make
 * the same image. Names have at most 31 characters.
 */
export function isoImage(label: string, files: Record<string, string | Uint8Array>): Buffer {
  const root = treeOf(files);
  const contents = allFolders(root).flatMap((folder) => folder.files);
  // system area, three descriptors, then each tree's tables and folders, then the contents
  let next = 16 + 3;
  const trees = [plain, joliet].map((encoding) => {
    const tree = layOut(root, encoding, next);
    next = tree.end;
    return tree;
  });
  const places = new Map<IsoFile, number>();
  for (const file of contents) {
    places.set(file, next);
    next += Math.ceil(file.content.length / sector);
  }
  const image = Buffer.alloc(next * sector);
  for (const [index, tree] of trees.entries()) {
    descriptor(tree, label, next).copy(image, (16 + index) * sector);
    for (const [big, at] of [
      [false, tree.littleTable],
      [true, tree.bigTable],
    ] as const) {
      pathTable(tree, big).copy(image, at * sector);
    }
    for (const folder of tree.folders) folderContent(tree, folder, places).copy(image, tree.place(folder) * sector);
  }
  image.write("\xffCD001\x01", 18 * sector, "latin1"); // the last descriptor
  for (const [file, place] of places) image.set(file.content, place * sector);
  return image;
}

interface Tree {
  encoding: Encoding;
  /** Parents before their children, level by level, as a path table is ordered. */
  folders: IsoFolder[];
  place: (folder: IsoFolder) => number;
  littleTable: number;
  bigTable: number;
  end: number;
}

function layOut(root: IsoFolder, encoding: Encoding, start: number): Tree {
  const folders = allFolders(root);
  const tableSectors = Math.ceil(pathTableSize(folders, encoding) / sector);
  const places = new Map<IsoFolder, number>();
  let end = start + 2 * tableSectors;
  for (const folder of folders) {
    places.set(folder, end);
    end += folderSize(folder, encoding) / sector;
  }
  const place = (folder: IsoFolder) => places.get(folder) ?? 0;
  return { encoding, folders, place, littleTable: start, bigTable: start + tableSectors, end };
}

function treeOf(files: Record<string, string | Uint8Array>): IsoFolder {
  const root: IsoFolder = { name: "", parent: undefined, folders: [], files: [] };
  for (const [path, content] of Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const parts = path.split("/");
    const name = parts.pop() ?? "";
    let folder = root;
    for (const part of parts) {
      let below = folder.folders.find((each) => each.name === part);
      if (below === undefined) {
        below = { name: part, parent: folder, folders: [], files: [] };
        folder.folders.push(below);
      }
      folder = below;
    }
    folder.files.push({ name, content: Buffer.from(content) });
  }
  return root;
}

function allFolders(root: IsoFolder): IsoFolder[] {
  const found = [root];
  for (const folder of found) found.push(...folder.folders); // grows while it is gone through: level by level
  return found;
}

const even = (length: number) => length + (length % 2);
const rootName = Buffer.from([0]);
const parentName = Buffer.from([1]);

/** A directory record. */
function record(name: Buffer, place: number, size: number, isFolder: boolean): Buffer {
  const bytes = Buffer.alloc(even(33 + name.length));
  bytes.writeUInt8(bytes.length, 0);
  both32(bytes, 2, place);
  both32(bytes, 10, size);
  bytes.writeUInt8(isFolder ? 2 : 0, 25);
  both16(bytes, 28, 1);
  bytes.writeUInt8(name.length, 32);
  name.copy(bytes, 33);
  return bytes;
}

/** A folder's records; none lies across two sectors. */
function folderContent(tree: Tree, folder: IsoFolder, places: Map<IsoFile, number>): Buffer {
  const { encoding, place } = tree;
  const size = (one: IsoFolder) => folderSize(one, encoding);
  const parent = folder.parent ?? folder;
  const entries = [
    ...folder.folders.map((one) => ({
      name: encoding.folder(one.name),
      place: place(one),
      size: size(one),
      folder: true,
    })),
    ...folder.files.map((one) => ({
      ...{ name: encoding.file(one.name), place: places.get(one) ?? 0, size: one.content.length, folder: false },
    })),
  ].toSorted((a, b) => Buffer.compare(a.name, b.name));
  return packed([
    record(rootName, place(folder), size(folder), true),
    record(parentName, place(parent), size(parent), true),
    ...entries.map((entry) => record(entry.name, entry.place, entry.size, entry.folder)),
  ]);
}

function packed(records: Buffer[]): Buffer {
  const pieces: Buffer[] = [];
  let length = 0;
  const pad = (to: number) => {
    pieces.push(Buffer.alloc(to - length));
    length = to;
  };
  for (const bytes of records) {
    const left = sector - (length % sector);
    if (bytes.length > left) pad(length + left);
    pieces.push(bytes);
    length += bytes.length;
  }
  pad(Math.ceil(length / sector) * sector);
  return Buffer.concat(pieces);
}

function folderSize(folder: IsoFolder, { folder: folderName, file }: Encoding): number {
  const names = [...folder.folders.map(({ name }) => folderName(name)), ...folder.files.map(({ name }) => file(name))];
  return packed([rootName, parentName, ...names.toSorted(Buffer.compare)].map((name) => record(name, 0, 0, false)))
    .length;
}

const pathTableSize = (folders: IsoFolder[], encoding: Encoding) =>
  folders.reduce((sum, folder) => sum + 8 + even(tableName(folder, encoding).length), 0);

const tableName = (folder: IsoFolder, encoding: Encoding) =>
  folder.parent === undefined ? rootName : encoding.folder(folder.name);

function pathTable({ folders, encoding, place }: Tree, bigEndian: boolean): Buffer {
  return Buffer.concat(
    folders.map((folder) => {
      const name = tableName(folder, encoding);
      const bytes = Buffer.alloc(8 + even(name.length));
      const parent = folders.indexOf(folder.parent ?? folder) + 1;
      bytes.writeUInt8(name.length, 0);
      if (bigEndian) {
        bytes.writeUInt32BE(place(folder), 2);
        bytes.writeUInt16BE(parent, 6);
      } else {
        bytes.writeUInt32LE(place(folder), 2);
        bytes.writeUInt16LE(parent, 6);
      }
      name.copy(bytes, 8);
      return bytes;
    }),
  );
}

function descriptor(tree: Tree, label: string, sectors: number): Buffer {
  const { encoding, folders, place } = tree;
  const root = folders[0] as IsoFolder;
  const bytes = Buffer.alloc(sector);
  bytes.writeUInt8(encoding.descriptor, 0);
  bytes.write("CD001\x01", 1, "latin1");
  encoding.text("", 32).copy(bytes, 8);
  encoding.text(label, 32).copy(bytes, 40);
  both32(bytes, 80, sectors);
  if (encoding.descriptor === 2) bytes.write("%/E", 88, "latin1"); // Joliet, UCS-2 level 3
  both16(bytes, 120, 1);
  both16(bytes, 124, 1);
  both16(bytes, 128, sector);
  both32(bytes, 132, pathTableSize(folders, encoding));
  bytes.writeUInt32LE(tree.littleTable, 140);
  bytes.writeUInt32BE(tree.bigTable, 148);
  record(rootName, place(root), folderSize(root, encoding), true).copy(bytes, 156);
  for (const at of [190, 318, 446, 574]) encoding.text("", 128).copy(bytes, at);
  for (const at of [702, 739, 776]) encoding.text("", 37).copy(bytes, at);
  for (const at of [813, 830, 847, 864]) bytes.fill("0", at, at + 16, "latin1"); // no date
  bytes.writeUInt8(1, 881);
  return bytes;
}

/** Numbers stand in both byte orders. */
function both32(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value, at);
  bytes.writeUInt32BE(value, at + 4);
}

function both16(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt16LE(value, at);
  bytes.writeUInt16BE(value, at + 2);
}
