import type { Tokens } from "../identity/tokens.ts";
import type { Collection, Store } from "../store/store.ts";
import type { Image } from "./records.ts";

/** What Glance's routes work with. */
export interface ImageOptions {
  store: Store;
  table: Collection<Image>;
  tokens: Tokens;
  /** Folder for uploaded images. */
  folder: string;
  /** Whether images may be fetched from addresses (`web-download`). */
  webDownload: boolean;
  /** Whether a server was made from the image and still exists. */
  inUse: (imageId: string) => boolean;
  base: () => string;
  log: (line: string) => void;
}
