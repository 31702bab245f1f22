/**
 * The HTML around a webview's bundle: nothing but its script and its style sheet, under a content
 * policy that allows these two alone. All that is seen is made by the script; what samples and
 * datasets say reaches the DOM as text only.
 */
import { randomBytes } from 'node:crypto';

export interface ShellOptions {
  title: string;
  /** Addresses of the bundle, as the webview reaches them. */
  script: string;
  style: string;
  /** What the webview calls its own origin. */
  cspSource: string;
}

export function webviewShell({ title, script, style, cspSource }: ShellOptions): string {
  const nonce = randomBytes(16).toString('base64');
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    // The toolkit tries out one style element of its own, with the nonce of the meta element.
    `style-src ${cspSource} 'nonce-${nonce}'`,
    `font-src ${cspSource}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="${style}">
</head>
<body>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>
`;
}
