import { createHash } from "node:crypto";

/** Whose pipelines a workflow is for. */
export type CiKind = "github" | "gitlab";

/** What a workflow is made from. */
export interface CiPlan {
  stack: string;
  /** The model's folder or file, from the project's root. */
  model: string;
  /** The branch whose changes are deployed. */
  branch: string;
}

/** Where a workflow lies, from the repository's root. */
export const ciPaths: Record<CiKind, string> = { github: ".github/workflows/slipway.yml", gitlab: ".gitlab-ci.yml" };

const SEAL = /^# made by `slipway init ci`, unchanged: ([0-9a-f]{64})\n/;

/** The workflow's text; its first line tells later whether somebody has edited it. */
export function ciText(kind: CiKind, plan: CiPlan): string {
  const body = { github, gitlab }[kind](plan);
  return `# made by \`slipway init ci\`, unchanged: ${sumOf(body)}\n${body}`;
}

/** Whether a workflow is as it was written: it may be replaced without being asked. */
export function isUnedited(text: string): boolean {
  const [line = "", sum] = SEAL.exec(text) ?? [];
  return sum !== undefined && sum === sumOf(text.slice(line.length));
}

function sumOf(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}

/** What a change of means another release. */
function modelPaths({ model }: CiPlan): string[] {
  return [/\.[a-z0-9]+$/i.test(model) ? model : `${model}/**`];
}

/** What a plan depends on: the same, and what hosts are made from. */
function planPaths(plan: CiPlan): string[] {
  return [...modelPaths(plan), `stacks/Pulumi.${plan.stack}.yaml`, "stacks/*.ts", "cloud-init/**"];
}

const SLIPWAY = "node bin/slipway.mjs";

/** What each job on GitHub begins with. */
const GITHUB_START = `    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 22
      - name: Fetch the stacks' state and keys
        run: ${SLIPWAY} home restore --os-cloud envvars
`;

function github(plan: CiPlan): string {
  const { stack, model, branch } = plan;
  const listed = (paths: string[]) => paths.map((path) => `      - "${path}"`).join("\n");
  return `# Previews on pull requests, deploys a changed model on ${branch}, asks the endpoint afterwards. docs/how-to/ci.md tells which secrets it needs.
name: slipway
on:
  pull_request:
    paths:
${listed(planPaths(plan))}
  push:
    branches: ["${branch}"]
    paths:
${listed(modelPaths(plan))}
  workflow_dispatch:
permissions:
  contents: read
# one run at a time works on the stack; a later one waits and is not dropped half-way
concurrency:
  group: slipway-${stack}
  cancel-in-progress: false
env:
  STACK: ${stack}
  MODEL: ${model}
  OS_AUTH_TYPE: v3applicationcredential
  OS_AUTH_URL: \${{ secrets.OS_AUTH_URL }}
  OS_REGION_NAME: \${{ secrets.OS_REGION_NAME }}
  OS_APPLICATION_CREDENTIAL_ID: \${{ secrets.OS_APPLICATION_CREDENTIAL_ID }}
  OS_APPLICATION_CREDENTIAL_SECRET: \${{ secrets.OS_APPLICATION_CREDENTIAL_SECRET }}
  PULUMI_CONFIG_PASSPHRASE: \${{ secrets.PULUMI_CONFIG_PASSPHRASE }}
defaults:
  run:
    shell: bash
jobs:
  preview:
    # a fork's pull request gets no secrets
    if: github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository
    runs-on: ubuntu-24.04
    timeout-minutes: 20
    permissions:
      contents: read
      pull-requests: write
${GITHUB_START}      - name: Preview
        run: ${SLIPWAY} preview "$STACK" --os-cloud envvars 2>&1 | tee plan.txt
      - name: Comment the plan
        if: always()
        env:
          GH_TOKEN: \${{ github.token }}
          PULL_REQUEST: \${{ github.event.pull_request.number }}
        run: |
          { echo "Plan for \\\`$STACK\\\`"; echo '~~~'; tail -c 60000 plan.txt; echo '~~~'; } > comment.md
          cat comment.md >> "$GITHUB_STEP_SUMMARY"
          gh pr comment "$PULL_REQUEST" --body-file comment.md --edit-last || gh pr comment "$PULL_REQUEST" --body-file comment.md
  deploy:
    if: github.event_name != 'pull_request'
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    environment: ${stack}
${GITHUB_START}      - name: Deploy
        run: ${SLIPWAY} deploy "$STACK" --model "$MODEL" --lock-wait 600 --os-cloud envvars 2>&1 | tee result.txt
      - name: Ask the endpoint
        run: ${SLIPWAY} check "$STACK" --os-cloud envvars --timeout 30 2>&1 | tee -a result.txt
      - name: Keep the stacks' state and keys
        if: always()
        run: ${SLIPWAY} home save --os-cloud envvars
      - name: Tell the result
        if: always()
        run: |
          { echo "Deployment of \\\`$STACK\\\`"; echo '~~~'; tail -c 60000 result.txt; echo '~~~'; } >> "$GITHUB_STEP_SUMMARY"
          grep -m 1 '^E_[A-Z_]*: ' result.txt | sed 's/^/::error title=slipway::/' || echo "::notice title=slipway::$STACK serves"
`;
}

function gitlab(plan: CiPlan): string {
  const { stack, model, branch } = plan;
  const changes = (paths: string[]) => paths.map((path) => `        - ${path.replace(/\*\*$/, "**/*")}`).join("\n");
  return `# Previews on merge requests, deploys a changed model on ${branch}, asks the endpoint afterwards. docs/how-to/ci.md tells which variables it needs.
stages: [preview, deploy]
variables:
  STACK: ${stack}
  MODEL: ${model}
  OS_AUTH_TYPE: v3applicationcredential
default:
  image: node:22-bookworm
  before_script:
    - ${SLIPWAY} home restore --os-cloud envvars
preview:
  stage: preview
  timeout: 20 minutes
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
      changes:
${changes(planPaths(plan))}
  script:
    - set -o pipefail
    - ${SLIPWAY} preview "$STACK" --os-cloud envvars 2>&1 | tee plan.txt
  after_script:
    - |
      { echo "Plan for \\\`$STACK\\\`"; echo '~~~'; tail -c 60000 plan.txt; echo '~~~'; } > comment.md
      if [ -n "$SLIPWAY_COMMENT_TOKEN" ]; then
        curl --fail --silent --show-error --max-time 30 --output comment.json \\
          --header "PRIVATE-TOKEN: $SLIPWAY_COMMENT_TOKEN" --data-urlencode body@comment.md \\
          "$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
      fi
  artifacts:
    when: always
    expose_as: plan
    paths: [plan.txt]
    expire_in: 1 week
deploy:
  stage: deploy
  timeout: 1 hour
  environment: ${stack}
  # one pipeline at a time works on the stack
  resource_group: slipway-${stack}
  interruptible: false
  rules:
    - if: $CI_COMMIT_BRANCH == "${branch}" && $CI_PIPELINE_SOURCE == "push"
      changes:
${changes(modelPaths(plan))}
    - if: $CI_COMMIT_BRANCH == "${branch}" && $CI_PIPELINE_SOURCE == "web"
  script:
    - set -o pipefail
    - ${SLIPWAY} deploy "$STACK" --model "$MODEL" --lock-wait 600 --os-cloud envvars 2>&1 | tee result.txt
    - ${SLIPWAY} check "$STACK" --os-cloud envvars --timeout 30 2>&1 | tee -a result.txt
  after_script:
    - ${SLIPWAY} home save --os-cloud envvars
  artifacts:
    when: always
    expose_as: result
    paths: [result.txt]
    expire_in: 4 weeks
`;
}
