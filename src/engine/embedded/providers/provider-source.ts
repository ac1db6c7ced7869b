import type { ProviderFactory } from "../../resource-provider.ts";
import { type EngineProvider, inProcess } from "./engine-provider.ts";

/** The host of provider plugins, as far as the engine knows it. */
export interface PluginHost {
  /**
   * Starts a package's plugin.
   * @throws SlipwayError E_PLUGIN where there is none, or it does not start
   */
  open(packageName: string, version: string): Promise<EngineProvider>;
  close(): Promise<void>;
}

/** Where an operation's providers come from: this process, else plugins. */
export class ProviderSource {
  readonly #own: ProviderFactory;
  readonly #startHost: () => Promise<PluginHost>;
  #host: Promise<PluginHost> | undefined;

  /** @param startHost called when the first plugin is needed: a gRPC client and server take their time to load */
  constructor(own: ProviderFactory, startHost: () => Promise<PluginHost>) {
    this.#own = own;
    this.#startHost = startHost;
  }

  /**
   * A provider that is not configured yet.
   * @throws SlipwayError E_PLUGIN
   */
  async open(packageName: string, version: string): Promise<EngineProvider> {
    const own = await this.#own(packageName, version);
    if (own !== undefined) return inProcess(own);
    this.#host ??= this.#startHost();
    return (await this.#host).open(packageName, version);
  }

  /** Ends the plugins that were started. */
  async close(): Promise<void> {
    const host = await this.#host?.catch(() => undefined); // one that could not be started has failed the operation already
    await host?.close();
  }
}
