// The page of an imported package: in a site or an export beside its files (`content/`), and as the shell at `/_player/` of the
// package's own origin, where a page of another origin hands over what a bundle holds.
import { play } from "../src/imported/boot.ts";

void play();
