import { open, stat } from "node:fs/promises";

/** What an image file holds. */
export interface DiskImage {
  format: "qcow2" | "raw";
  /** Bytes of the disk. */
  size: number;
}

/** First bytes of formats that are not run, and what they are. */
const others: [magic: string, at: number, name: string][] = [
  ["KDMV", 0, "VMDK"],
  ["# Disk DescriptorFile", 0, "VMDK"],
  ["vhdxfile", 0, "VHDX"],
  ["conectix", 0, "VHD"],
  ["QED\0", 0, "QED"],
  ["\x7f\x10\xda\xbe", 64, "VDI"],
  ["\x1f\x8b", 0, "gzip"],
  ["\xfd7zXZ", 0, "xz"],
];

/**
 * Which disk the head of an image file describes. A guest's image must not lead to other files of the machine: a qcow2 with a backing
 * file or an external data file is refused, as Glance and Nova do (CVE-2024-32498).
 * @param head the first 4096 bytes, or all of a shorter file
 * @throws Error that says what the file is instead
 */
export function diskImageOf(head: Buffer, fileSize: number): DiskImage {
  const other = others.find(([magic, at]) => head.subarray(at).indexOf(Buffer.from(magic, "latin1")) === 0);
  if (other !== undefined) throw new Error(`The image is a ${other[2]} file; qcow2 and raw disks can be booted.`);
  if (head.length >= 4 && head.readUInt32BE(0) === 0x514649fb) return qcow2Of(head);
  if (fileSize === 0) throw new Error("The image is empty.");
  return { format: "raw", size: fileSize };
}

/** docs/interop/qcow2.txt of QEMU. */
function qcow2Of(head: Buffer): DiskImage {
  if (head.length < 72) throw new Error("The image is a qcow2 file that ends within its header.");
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3)
    throw new Error(`The image is a qcow2 file of version ${version}; 2 and 3 can be booted.`);
  if (head.readBigUInt64BE(8) !== 0n) throw new Error("The image refers to a backing file, which is refused.");
  if (head.readUInt32BE(32) !== 0) throw new Error("The image is encrypted, which is refused.");
  const incompatible = version === 3 && head.length >= 80 ? head.readBigUInt64BE(72) : 0n;
  if ((incompatible & 4n) !== 0n) throw new Error("The image refers to an external data file, which is refused.");
  return { format: "qcow2", size: Number(head.readBigUInt64BE(24)) };
}

/** The disk that a file holds. @throws Error as {@link diskImageOf} */
export async function inspectImage(path: string): Promise<DiskImage> {
  const found = await stat(path);
  if (!found.isFile()) throw new Error("The image is a tree of files, which only containers run from.");
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return diskImageOf(buffer.subarray(0, bytesRead), found.size);
  } finally {
    await file.close();
  }
}
