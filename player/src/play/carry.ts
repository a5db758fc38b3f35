// A learner's state carried into another version of the course, by the ids that the author gave: what is still there stays done.
// A quiz counts on only if not a word of it has changed, since an answer is an index into it.
import { type Course, isQuiz, placed } from "./course.ts";
import type { State } from "./progress.ts";

export type Outline = Pick<Course, "version" | "structure">;

export function carried(old: Outline, state: State, course: Course): State {
  const before = placed(old as Course);
  const now = new Map(placed(course).map((each) => [each.block.id, each]));
  const moved = new Map<number, number>();
  for (const { block, index } of before) {
    const there = now.get(block.id);
    if (!there || there.block.type !== block.type) continue;
    if (!isQuiz(block) || JSON.stringify(block) === JSON.stringify(there.block)) moved.set(index, there.index);
  }
  const through = <T>(map: ReadonlyMap<number, T>): Map<number, T> => new Map([...map].flatMap(([index, value]) => (moved.has(index) ? [[moved.get(index) as number, value] as const] : [])));
  return {
    place: moved.get(state.place) ?? 0,
    seen: new Set([...state.seen].flatMap((index) => (moved.has(index) ? [moved.get(index) as number] : []))),
    quizzes: through(state.quizzes),
    times: through(state.times),
  };
}
