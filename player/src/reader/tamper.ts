/** Section "Tamper report": what a device tells the service when it found something changed. */
import type { Json, Members } from "./canonical.ts";
import { Fields, parseObject, typed } from "./documents.ts";
import { BUNDLE_ID, DIGEST, PATH, TENANT, writeTime } from "./notation.ts";
import { Refused } from "./refused.ts";
import { signAs, verifyOwn } from "./registration.ts";

const TYPE = "tamper-report";
const TYP = "content-tamper-report+jws";
const CHARACTERS = 8192;
const PAYLOAD_BYTES = 4096;
const CODE = /^[a-z0-9][a-z0-9-]{1,63}$/;
const MOST_EVIDENCE = 8;
const MALFORMED = "tamper-report-malformed";

export interface Evidence {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  /** Digest of what was found there. */
  readonly found: string;
}

export interface TamperReport {
  readonly tenant: string;
  readonly bundleId: string;
  readonly issue: number;
  readonly code: string;
  /** Seconds since 1970. */
  readonly observedAt: number;
  readonly evidence: readonly Evidence[];
}

export function reportMembers(report: TamperReport): Members {
  return {
    type: TYPE,
    shape: 1,
    tenant: report.tenant,
    bundle_id: report.bundleId,
    issue: report.issue,
    code: report.code,
    observed_at: writeTime(report.observedAt),
    evidence: report.evidence.map((range): Members => ({ ...range })),
  };
}

export async function signReport(signing: CryptoKeyPair, report: TamperReport): Promise<string> {
  return signAs(signing, TYP, reportMembers(report));
}

export async function verifyReport(jws: unknown, tenant: string, device: string): Promise<TamperReport> {
  const { payload, key } = await verifyOwn(jws, TYP, CHARACTERS);
  if (payload.length > PAYLOAD_BYTES) throw new Refused(MALFORMED, `The report is larger than ${PAYLOAD_BYTES} bytes.`);
  const members = parseObject(payload, TYPE, PAYLOAD_BYTES);
  const fields = typed(members, TYPE, MALFORMED);
  const report = {
    tenant: fields.text("tenant", TENANT),
    bundleId: fields.text("bundle_id", BUNDLE_ID),
    issue: fields.whole("issue", 1),
    code: fields.text("code", CODE),
    observedAt: fields.time("observed_at"),
    evidence: fields.list("evidence", 0, MOST_EVIDENCE).map(readEvidence),
  };
  fields.done();
  if (report.tenant !== tenant) throw new Refused("tamper-report-tenant", "The report is another tenant's.");
  if (key.kid !== device) throw new Refused("tamper-report-device", "The report is another device's.");
  return report;
}

function readEvidence(value: Json): Evidence {
  const fields = new Fields(value, MALFORMED);
  const evidence = {
    path: fields.text("path", PATH),
    offset: fields.whole("offset"),
    length: fields.whole("length"),
    found: fields.text("found", DIGEST),
  };
  fields.done();
  return evidence;
}
