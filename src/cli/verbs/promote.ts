import { trialEnd } from "../trial-end.ts";

export const verb = trialEnd("promote");
