/**
 * The two key pairs of a device, made where they stay.
 *
 * The private halves are not extractable: IndexedDB keeps the `CryptoKey` objects, scripts can use them and nobody can read
 * them. Clearing the site's data is losing the device; a device that lost its keys registers as another one.
 */
import type { DeviceKeys } from "../reader/registration.ts";
import { exportJwk, thumbprint } from "../reader/jwk.ts";
import type { Device } from "../reader/open.ts";
import type { Database } from "./database.ts";

const CURVE = { namedCurve: "P-256" };

/** The keys of this device within a tenant; made at the first call. */
export async function deviceKeys(database: Database, tenant: string): Promise<DeviceKeys> {
  const known = await database.get<DeviceKeys>("keys", tenant);
  if (known !== undefined) return known;
  const [signing, encryption] = await Promise.all([
    crypto.subtle.generateKey({ name: "ECDSA", ...CURVE }, false, ["sign", "verify"]),
    crypto.subtle.generateKey({ name: "ECDH", ...CURVE }, false, ["deriveBits"]),
  ]);
  // Two tabs may be here at once: `add` fails for the second one, which then takes the keys of the first.
  await database.write(["keys"], (store) => store("keys").add({ signing, encryption }, tenant)).catch(() => undefined);
  const kept = await database.get<DeviceKeys>("keys", tenant);
  if (kept === undefined) throw new Error("The browser did not keep the device's keys.");
  return kept;
}

export async function deviceOf(keys: DeviceKeys, tenant: string): Promise<Device> {
  return {
    tenant,
    id: await thumbprint(await exportJwk(keys.signing.publicKey)),
    encryption: await thumbprint(await exportJwk(keys.encryption.publicKey)),
    agreement: keys.encryption.privateKey,
  };
}
