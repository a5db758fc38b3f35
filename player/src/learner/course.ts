// An open bundle as a course: the manifest is the course document, each file is decrypted when it is shown.
import type { Database } from "../device/database.ts";
import type { Course as Key } from "../device/progress.ts";
import type { Asset, Course, EmbedBlock, Rendition } from "../play/course.ts";
import type { Embedded, Files } from "../play/view/context.ts";
import type { Bundle } from "../reader/bundle.ts";
import { fileOf, recordsIn, shellOf } from "./package.ts";

/** The manifest with the renditions that the bundle holds; the others of a picture or film stayed where they were made. */
export async function courseOf(bundle: Bundle): Promise<Course> {
  const manifest = (await bundle.manifest()) as unknown as Course;
  const assets: Record<string, Asset> = {};
  for (const [name, asset] of Object.entries(manifest.assets)) {
    const held: Rendition[] = [];
    for (const each of asset.renditions) if ((await bundle.find(each.digest)) !== null) held.push(each);
    assets[name] = { ...asset, renditions: held };
  }
  return { ...manifest, assets };
}

/** The packages that a course embeds. */
export const packagesOf = (course: Course): readonly string[] => [...new Set(course.structure.units.flatMap((unit) => unit.blocks.flatMap((block) => (block.type === "embed" ? [block.asset] : []))))];

export interface Surroundings {
  readonly progress: Database;
  readonly key: Key;
  /** The origin on which a package is played. */
  readonly originOf: (packageId: string) => Promise<string>;
}

export class BundleFiles implements Files {
  readonly #bundle: Bundle;
  readonly #course: Course;
  readonly #around: Surroundings;
  readonly #origins: ReadonlyMap<string, string>;
  readonly #urls = new Map<string, Promise<string>>();

  constructor(bundle: Bundle, course: Course, around: Surroundings, origins: ReadonlyMap<string, string>) {
    this.#bundle = bundle;
    this.#course = course;
    this.#around = around;
    this.#origins = origins;
  }

  static async of(bundle: Bundle, course: Course, around: Surroundings): Promise<BundleFiles> {
    const origins = await Promise.all(packagesOf(course).map(async (id) => [id, await around.originOf(id)] as const));
    return new BundleFiles(bundle, course, around, new Map(origins));
  }

  embedded(block: EmbedBlock): Embedded | null {
    const origin = this.#origins.get(block.asset);
    const held = new Map(this.#course.assets[block.asset]?.renditions.map((each) => [each.path ?? "", each]));
    if (!origin || !block.course || !held.size) return null;
    const { progress, key } = this.#around;
    return { address: shellOf(origin), origin, course: block.course, records: recordsIn(progress, key, `embed/${block.id}`), file: (path) => fileOf(this.#bundle, held.get(path)) };
  }

  url(rendition: Rendition): Promise<string> {
    const known = this.#urls.get(rendition.digest);
    if (known) return known;
    const made = this.#blob(rendition).then((blob) => URL.createObjectURL(blob));
    this.#urls.set(rendition.digest, made);
    return made;
  }

  async captions(rendition: Rendition): Promise<string> {
    return new TextDecoder().decode(await this.#bundle.read(rendition.digest));
  }

  release(): void {
    for (const url of this.#urls.values()) void url.then((each) => URL.revokeObjectURL(each), () => undefined);
    this.#urls.clear();
  }

  /** By way of a stream: a film is decrypted piece by piece into a blob, which the browser keeps on its disk. */
  #blob(rendition: Rendition): Promise<Blob> {
    return new Response(this.#bundle.stream(rendition.digest), { headers: { "Content-Type": rendition.media_type } }).blob();
  }
}
