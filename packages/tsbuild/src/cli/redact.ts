/** Takes credentials out of text that goes to a terminal or a log. */

const rules: [RegExp, string][] = [
  // user:password@ of a URL; a bare user name (git@host) is no secret, one that looks like a token is.
  [/\b([a-z][a-z0-9+.-]*:\/\/)([^\s/@:"'<>]*):[^\s/@"'<>]*@/gi, '$1***@'],
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@:"'<>]{20,}@/gi, '$1***@'],
  [/\b(authorization\s*[:=]\s*)["']?(?:(basic|bearer|token)\s+)?[^\s"',;]+/gi, '$1***'],
  [/\b(basic|bearer)\s+[A-Za-z0-9+/_=.~-]{16,}/gi, '$1 ***'],
  // Query parameters that sign or authorise a request.
  [
    /([?&](?:access_token|refresh_token|token|sig|signature|key|password|secret|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature)=)[^&\s"']+/gi,
    '$1***',
  ],
  // JSON web tokens, tokens of GitHub, GitLab and npm.
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, '***'],
  [
    /\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|npm_[A-Za-z0-9]{30,})/g,
    '***',
  ],
];

export function redact(text: string): string {
  return rules.reduce((out, [pattern, replacement]) => out.replace(pattern, replacement), text);
}
