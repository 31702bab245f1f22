/**
 * The plots of the little stories, as data: each plot is a list of steps, each step a list of
 * wordings. `{hero}` and `{friend}` keep their names and pronouns through the whole story, which is
 * what a model has to learn. Capitalised pronouns begin sentences; the engine is in `stories.ts`.
 */
export interface Plot {
  name: string;
  steps: readonly (readonly string[])[];
}

export const openings: readonly string[] = [
  'Once there was a {trait} {kind} named {hero}.',
  'Long ago, a {trait} {kind} named {hero} lived in a {home}.',
  'In a {home} near the {place} lived a {trait} {kind} named {hero}.',
  '{hero} was a {trait} {kind} who lived in a {home}.',
  'This is the story of {hero}, a {trait} {kind}.',
];

const meeting: readonly string[] = [
  'A {ftrait} {fkind} named {friend} came by.',
  'Just then {friend} the {fkind} came along.',
  'There {he} met a {ftrait} {fkind} named {friend}.',
  'On the way {he} saw {friend}, a {ftrait} {fkind}.',
];

export const plots: readonly Plot[] = [
  {
    name: 'lost',
    steps: [
      [
        '{hero} had a {adj} {thing} and loved it very much.',
        '{His} best thing was a {adj} {thing}.',
        '{He} took {his} {adj} {thing} everywhere.',
      ],
      [
        'One {time}, at the {place}, the {thing} was gone.',
        'One {time} {he} went to the {place} and lost the {thing} there.',
      ],
      [
        '{He} looked under a {hide} and behind a {hide2}, but it was not there.',
        '{He} looked for it all day and found only a {hide}.',
        '{hero} sat down by a {hide} and began to cry.',
      ],
      meeting,
      [
        '"Why are you so sad?" asked {friend}. "I lost my {thing}," said {hero}.',
        '"Please help me find my {thing}," said {hero}. "I will," said {friend}.',
        '{friend} heard about the {thing} and wanted to help.',
      ],
      [
        'They looked together, and {friend} found the {adj} {thing} near a {hide2}.',
        'At last {friend} saw the {adj} {thing} in the {spot}.',
        'When it was almost dark, {he} saw {his} {adj} {thing} in the {spot}.',
      ],
      [
        '{hero} thanked {friend} and gave {fhim} some {food}.',
        '{hero} was so happy that {he} danced with {friend}.',
        'From that day on, {hero} and {friend} were friends.',
      ],
    ],
  },
  {
    name: 'sharing',
    steps: [
      [
        'One {time} {he} had a bag full of {food}.',
        'One {time} {his} mother gave {him} some {food}.',
        'One {time} {he} made a lot of {food}.',
      ],
      ['{He} carried it to the {place}.', '{He} wanted to eat it all alone at the {place}.'],
      meeting,
      [
        '{friend} was hungry and had nothing to eat.',
        '"I have not eaten since yesterday," said {friend}.',
        '{friend} looked at the {food} and said nothing.',
      ],
      [
        '{hero} thought for a while. Then {he} gave half of the {food} to {friend}.',
        '"Sit down and eat with me," said {hero}.',
        'At first {hero} did not want to share, but {friend} looked so sad that {he} did.',
      ],
      [
        'They ate together and told jokes.',
        '{friend} ate and smiled. "This is the best {food} of all," {fhe} said.',
        'Soon the bag was empty, but both were happy.',
      ],
      [
        'The next day {friend} brought {hero} a {adj} {thing}.',
        '{friend} never forgot how kind {hero} was.',
        'After that they met at the {place} every {time}.',
      ],
    ],
  },
  {
    name: 'storm',
    steps: [
      [
        'One {time} {he} walked to the {place} with {his} {thing}.',
        'One {time} {he} was playing at the {place}.',
      ],
      [
        'Suddenly the {weather} came, and {he} could not see the way.',
        'Then the sky turned {dark}, and the {weather} began.',
      ],
      [
        '{hero} was afraid and hid behind a {hide}.',
        '{He} ran and ran, but {his} {home} was far away.',
        '{He} called for help, but nobody answered.',
      ],
      [
        'Then {he} saw a light. It was the house of {friend}, a {ftrait} {fkind}.',
        'A {ftrait} {fkind} named {friend} opened a door and waved.',
      ],
      [
        '"Come in and get warm," said {friend}.',
        '"You are all wet," said {friend}. "Come to the fire."',
      ],
      [
        '{hero} sat by the fire and ate some {food}.',
        '{friend} gave {him} hot {food} and a {adj} coat.',
        'They played a game until the {weather} was over.',
      ],
      [
        'In the morning {hero} went home and told {his} mother about {friend}.',
        'When the sun came out, {friend} walked home with {him}.',
        'Since then {hero} was never afraid of the {weather} again.',
      ],
    ],
  },
  {
    name: 'making',
    steps: [
      [
        '{hero} wanted to make a {adj} {thing}.',
        '{He} dreamed of a {adj} {thing}, but {he} had no money.',
      ],
      [
        'One {time} {he} went to the {place} to look for wood and string.',
        'One {time} {he} began to build it at the {place}.',
      ],
      ['The first one broke at once.', 'It was too hard to do alone.', '{He} tried and tried.'],
      meeting,
      [
        '"I can show you how," said {friend}.',
        '"Let us do it together," said {friend}.',
        '{friend} had a good idea and a lot of time.',
      ],
      [
        'They worked until the evening. {hero} held the wood, and {friend} tied the string.',
        '{friend} cut and {hero} painted. Soon everything was {adj}.',
      ],
      [
        'The {thing} was {adj} and perfect.',
        'At last the {adj} {thing} was ready, and they both laughed.',
        '"Now it is our {thing}," said {hero}.',
      ],
    ],
  },
  {
    name: 'brave',
    steps: [
      ['{hero} was afraid of the {place}.', 'Everybody said that a monster lived at the {place}.'],
      [
        'One {time} {he} heard a strange sound from there.',
        'One {time} {his} {thing} fell down right there.',
      ],
      meeting,
      [
        '"Do not go there," said {friend}. But {hero} wanted to know.',
        '"I will come with you," said {friend}, and took {his} hand.',
        '"You are braver than you think," said {friend}.',
      ],
      [
        'Step by step they went closer. Something {adj} moved behind a {hide}.',
        'They went on slowly. Under a {hide} they saw two eyes.',
      ],
      [
        'It was only a little {small}, and it was more afraid than they were.',
        'But the monster was just a {small} who had lost the way.',
      ],
      [
        '{hero} laughed. Now {he} was not afraid any more.',
        'They gave it some {food} and brought it home.',
        '"You were very brave," said {friend}, and {hero} was proud.',
      ],
    ],
  },
  {
    name: 'race',
    steps: [
      [
        'One {time} there was a race to the {place}.',
        'One {time} {he} wanted to win the race around the {place}.',
      ],
      ['The prize was a {adj} {thing}.', 'The winner would get a {adj} {thing} and some {food}.'],
      [
        '{friend}, a {ftrait} {fkind}, was the fastest of all.',
        'But a {ftrait} {fkind} named {friend} ran in the race too.',
      ],
      [
        'They ran and ran. Then {friend} fell over a {hide} and hurt {fhis} foot.',
        'In the middle of the race, {friend} could not go on.',
      ],
      [
        '{hero} could win now. But {he} stopped and helped {friend}.',
        '{hero} turned around. "Hold on to me," {he} said.',
      ],
      ['They came in last, side by side.', 'Slowly they walked to the end together.'],
      [
        'Everybody cheered for them, and they shared the {thing}.',
        '"You won something better," said {friend}. "You won a friend."',
        '{hero} did not get the {thing}, but {he} got a friend.',
      ],
    ],
  },
  {
    name: 'swap',
    steps: [
      [
        '{hero} had a {adj} {thing}, but {he} wanted a {thing2}.',
        '{He} owned a {adj} {thing} and was tired of it.',
      ],
      [
        'One {time} {he} took it to the {place}.',
        'One {time} {he} went to the {place} to swap it.',
      ],
      meeting,
      [
        '"I will give you my {thing2} for your {thing}," said {friend}.',
        '{friend} had a {thing2}, and {fhe} liked the {adj} {thing}.',
      ],
      [
        'So they swapped, and {hero} went home with the {thing2}.',
        '{hero} gave away the {thing} and took the {thing2}.',
      ],
      [
        'But at night {he} missed the {adj} {thing} and could not sleep.',
        'The {thing2} was nice, but it was not {his} {thing}.',
      ],
      [
        'In the morning {friend} gave the {thing} back. "Let us share both," {fhe} said.',
        '{He} went back to {friend}, and they decided to use both together.',
      ],
    ],
  },
];
