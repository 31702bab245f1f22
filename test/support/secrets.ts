/**
 * Values that look like secrets, under names that secrets have, and a search for them in any form in
 * which they may have been written.
 */

const names = [
  ...['HF_TOKEN', 'OPENAI_API_KEY', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'GITHUB_TOKEN'],
  ...['npm_config__authToken', 'DB_PASSWORD', 'MY_PRIVATE_KEY', 'clientSecret', 'SSH_PASSPHRASE'],
  ...['GOOGLE_CREDENTIALS', 'PGPASSWD'],
];

/** Each of its own, with characters that encodings change. */
export const plantedSecrets: Record<string, string> = Object.fromEntries(
  names.map((name, i) => [name, `cfs${i}Planted/+ "${'Zq7'.repeat(3)}${i}\\w=9~%x`]),
);

const forms = Object.entries(plantedSecrets).map(([name, value]) => {
  const json = JSON.stringify(value).slice(1, -1);
  const encoded = [0, 1, 2].map((shift) => {
    // What the bytes before and after change is left out.
    const text = Buffer.from('x'.repeat(shift) + value)
      .toString('base64')
      .replace(/=+$/, '');
    return text.slice(shift === 0 ? 0 : 4, -2);
  });
  const texts = [
    ...[value, json, JSON.stringify(json).slice(1, -1), encodeURIComponent(value)],
    ...encoded.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_')]),
    Buffer.from(value).toString('hex'),
  ];
  const needles = [...texts.map((text) => Buffer.from(text)), Buffer.from(value, 'utf16le')];
  return { name, needles };
});

/** The names of the secrets that are in there. */
export function findSecrets(place: Buffer | string): string[] {
  const bytes = Buffer.from(place);
  return forms
    .filter(({ needles }) => needles.some((needle) => bytes.includes(needle)))
    .map(({ name }) => name);
}
