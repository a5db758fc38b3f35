/**
 * The one error of the reader: an input that docs/bundle-format.md tells to refuse.
 *
 * `code` is the name that the document gives to the check; it is what programs compare. The sentence is for people.
 * Whatever bytes come in, a module of this folder either gives its result or throws this and nothing else.
 */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
