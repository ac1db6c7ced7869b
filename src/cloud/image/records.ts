import type { Collection, Store } from "../store/store.ts";

/** A project that an image is shared with. */
export interface ImageMember {
  projectId: string;
  status: "pending" | "accepted" | "rejected";
  createdAt: string;
  updatedAt: string;
}

/** An image as Glance keeps it. */
export interface Image {
  id: string;
  name: string;
  ownerId: string;
  status: "queued" | "saving" | "uploading" | "importing" | "active" | "deactivated";
  visibility: "public" | "private" | "community" | "shared";
  containerFormat: string | null;
  diskFormat: string | null;
  minDisk: number;
  minRam: number;
  protected: boolean;
  hidden: boolean;
  tags: string[];
  /** Bytes; null until there is content, and for a content that is a folder. */
  size: number | null;
  /** MD5 of the content, hex. */
  checksum: string | null;
  hashAlgorithm: string | null;
  hashValue: string | null;
  properties: Record<string, string>;
  createdAt: string;
  updatedAt: string;
  /** The file, or the root tree of a container guest, that holds the content. */
  path: string | null;
  /** True where the content is the cloud's own file below its state, deleted with the image. */
  ownsContent: boolean;
  /** Whom it is shared with, while its visibility is `shared`. */
  members?: ImageMember[];
  /** The id of the image that a fault made this one the twin of. */
  twinOf?: string;
}

export function imageTable(store: Store): Collection<Image> {
  return store.collection("image");
}
