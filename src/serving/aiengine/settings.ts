import { z } from "zod";

const count = z.number().int().positive();

/** The listener for databases that have openGauss' AIEngine predict their plans' costs. */
export const aiEngineConfig = z.object({
  host: z.string().default("127.0.0.1"),
  port: z.number().int().default(5000),
  /** PEM files: the server's certificate (with intermediates after it) and its key. */
  cert: z.string(),
  key: z.string(),
  /** PEM file of the authorities whose clients are let in. */
  ca: z.string(),
  /** Names of the clients that are let in: a certificate's common name, or a name or address among its alternative ones. All, without it. */
  clients: z.array(z.string().min(1)).optional(),
  /** Configurations, logs of trainings and, while they are needed, files that were sent. */
  dir: z.string().default("/var/lib/slipway/aiengine"),
  /** Bytes of a training's file. */
  trainingBytes: count.default(256 * 1024 * 1024),
  /** Bytes of a file with plans to predict. */
  predictBytes: count.default(1024 * 1024),
  /** Trainings that one frontend process runs at a time; others wait. */
  trainings: count.default(2),
  /** Trainings that wait in one frontend process. */
  waitingTrainings: count.default(64),
  /** Seconds after which a training is ended. */
  trainingTimeoutS: count.max(7 * 24 * 3600).default(6 * 3600),
  /** Versions of a model that are kept, the live one among them. */
  keepVersions: count.default(5),
  /** Connections of one frontend process. */
  connections: count.default(512),
});

/** What a stack's configuration may say of it; the rest says where things lie on a host, which the host knows itself. */
export const aiEngineSettings = aiEngineConfig.omit({ host: true, cert: true, key: true, ca: true, dir: true });

export type AiEngineConfig = z.output<typeof aiEngineConfig>;
