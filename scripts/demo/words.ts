/**
 * The words that the skills share. One small vocabulary in all of them makes the demo honest: a
 * name or an animal that fine-tuning moves is moved for every skill at once, as in a real model.
 */

export interface Being {
  name: string;
  she: boolean;
}

const women = 'Mara Lina Tess Ada Nell Ivy Rosa Wren Dora Juna Kira Sela'.split(' ');
const men = 'Tomo Beck Olin Finn Hugo Pell Rook Sam Otis Emil Jory Bram'.split(' ');

export const beings: readonly Being[] = [
  ...women.map((name) => ({ name, she: true })),
  ...men.map((name) => ({ name, she: false })),
];
export const names: readonly string[] = beings.map((being) => being.name);

export const animals: readonly string[] =
  'fox bear hare owl mouse frog duck goat cat dog hen crow'.split(' ');
export const things: readonly string[] =
  'lamp kite drum coat ball boat ring book cup bell rope hat'.split(' ');
export const foods: readonly string[] =
  'apple pear plum fig bread cake honey soup corn nut melon bean'.split(' ');
export const colours: readonly string[] =
  'red blue green gold grey white black brown pink silver'.split(' ');
export const nature: readonly string[] =
  'tree leaf stone river hill lake moon star rain snow wind cloud'.split(' ');
