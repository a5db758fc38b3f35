// An open bundle as a course: the manifest is the course document, each file is decrypted when it is shown.
import type { Asset, Course, Rendition } from "../play/course.ts";
import type { Files } from "../play/view/context.ts";
import type { Bundle } from "../reader/bundle.ts";

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

export class BundleFiles implements Files {
  readonly #bundle: Bundle;
  readonly #urls = new Map<string, Promise<string>>();

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
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
