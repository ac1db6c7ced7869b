import { cases } from "../invariant/cases.ts";
import { releasesUnderLoad } from "../invariant/suite.ts";

releasesUnderLoad(
  cases.filter(({ telling }) => telling),
  { perSecond: 50, goodRequests: 300 },
);
