import { cases } from "./cases.ts";
import { releasesUnderLoad } from "./suite.ts";

releasesUnderLoad(cases, { perSecond: 100, goodRequests: 10_000 });
