import { mkdir } from "node:fs/promises";
import { readSettings, stateFiles, stateParts } from "../store/state.ts";
import { Store } from "../store/store.ts";
import { replaceState } from "./replace.ts";

/** What a reset cloud is still known by: to the machine, and to its clients. */
const kept = ["instance", "port"];

/** Makes a cloud that does not run as new, under its name, port and passwords. The caller holds the state's lock. */
export async function resetState(stateDir: string): Promise<void> {
  const settings = readSettings(stateFiles(stateDir).database);
  await replaceState(stateDir, async (folder) => {
    const { database } = stateFiles(folder);
    const store = new Store(database);
    for (const name of kept) {
      const value = settings[name];
      if (value !== undefined) store.setSetting(name, value);
    }
    store.close();
    for (const path of stateParts(folder)) if (path !== database) await mkdir(path, { mode: 0o700 });
  });
}
