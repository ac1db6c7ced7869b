import type { FlowJob, Job } from "bullmq";
import type { Queues } from "./queues.ts";
import { priorities, queueNames, queueOfId, stepId, type TrainingStep, trainingSteps } from "./records.ts";
import { filesOf, originOf, type PublishOrder, type TrainingJob, type TrainJobRequest } from "./requests.ts";

/** The steps of a training: without an order to publish it ends with the verdict. */
export function stepsOf({ publish }: { publish?: PublishOrder }): readonly TrainingStep[] {
  return publish ? trainingSteps : trainingSteps.slice(0, 2);
}

/** A training that waits for its turn may be tried twice, since a worker may die; what follows it is short and tried more often. */
const TRAIN_ATTEMPTS = 2;

/**
 * Adds a training as a flow: each step begins when the one before it is done, and fails with it. All steps are there or none; an id that
 * is taken stays what it is.
 */
export async function addTraining(queues: Queues, id: string, request: TrainJobRequest, owner: string): Promise<void> {
  if (await queues.work[queueOfId(id)].getJob(id)) return;
  await queues.flows.add(trainingFlow(id, request, owner), { queuesOptions: flowDefaults(queues) });
}

function trainingFlow(id: string, request: TrainJobRequest, owner: string): FlowJob {
  const steps = stepsOf(request);
  const last = steps.at(-1) as TrainingStep;
  const data: TrainingJob = {
    ...originOf(request, owner),
    training: request.training,
    ...(request.spooled !== undefined && { spooled: request.spooled }),
    ...(request.publish && { publish: request.publish }),
    root: id,
  };
  return steps.reduce<FlowJob | undefined>((before, step) => {
    const opts = {
      jobId: stepId(id, step, last),
      ...(step !== last && { failParentOnFailure: true }),
      ...(step === "train" && {
        attempts: TRAIN_ATTEMPTS,
        priority: priorities[request.priority],
        delay: request.delayS * 1000,
      }),
    };
    const queueName = step === "train" ? queueNames.training : queueNames.maintenance;
    // the delay is the first step's, the deadline all steps'
    const deadlineS = step === "train" ? data.deadlineS : data.deadlineS + request.delayS;
    return {
      name: step,
      queueName,
      data: { ...data, deadlineS },
      opts,
      ...(before && { children: [before] }),
    } as FlowJob;
  }, undefined) as FlowJob;
}

function flowDefaults({ work }: Queues) {
  const { defaultJobOptions } = work.training.opts;
  const options = { ...(defaultJobOptions && { defaultJobOptions }) };
  return { [queueNames.training]: options, [queueNames.maintenance]: options };
}

/** Removes the steps of a training that no worker has; answers the files that nobody needs any more. */
export async function removeTraining({ work }: Queues, id: string): Promise<string[]> {
  const root = await work[queueOfId(id)].getJob(id);
  return root ? removeUntaken(root) : [];
}

/** Removes a job with its children; none of them where a worker has one. */
export async function removeUntaken(job: Job): Promise<string[]> {
  try {
    await job.remove({ removeChildren: true });
    return filesOf(job.data as { spooled?: unknown });
  } catch {
    return []; // a worker has it, and sees the mark
  }
}
