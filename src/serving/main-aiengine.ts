import { type TrainingTask, trainPlanModel } from "./aiengine/training-task.ts";
import { serveJobs } from "./jobs/child.ts";

/** A process that trains plan-cost models: a frontend starts it for a training and ends it. */
// systemd tells it to all processes of the service: the frontend decides what becomes of the training
process.on("SIGTERM", () => undefined);
serveJobs({ train: ({ data }, { signal }) => trainPlanModel(data as TrainingTask, signal) });
