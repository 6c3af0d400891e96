// The authorization server that tests get tokens from: npm oidc-provider over https.
//
// The first line of standard input is its configuration, as JSON; every further line is
// a part of it to change, after which the server begins anew on the same socket. The end
// of standard input ends it. It prints READY with its port, CHANGED, and a line for every
// request that it answered.

import * as crypto from 'node:crypto';
import * as https from 'node:https';
import * as readline from 'node:readline';

import Provider from 'oidc-provider';

// What a resource indicator asks for is in its query, so that any test can have any
// kind of token: https://api.example.com/?format=jwt&alg=ES256&ttl=60&aud=urn:x&enc=...
const resourceServer = (encryptionKey) => (_ctx, indicator) => {
  const url = new URL(indicator);
  const asked = url.searchParams;
  const enc = asked.get('enc');
  return {
    audience: asked.get('aud') ?? url.origin,
    scope: 'orders.read orders.write',
    accessTokenTTL: Number(asked.get('ttl') ?? 600),
    accessTokenFormat: asked.get('format') ?? 'opaque',
    jwt: {
      sign: { alg: asked.get('alg') ?? 'RS256' },
      encrypt: enc
        ? { alg: enc, enc: 'A256GCM', kid: 'enc', key: crypto.createPublicKey(encryptionKey) }
        : undefined,
    },
  };
};

const peer = (ctx) => {
  const certificate = ctx.socket.getPeerX509Certificate?.();
  return certificate && certificate.raw ? certificate : undefined;
};

const mTLS = {
  enabled: true,
  certificateBoundAccessTokens: true,
  selfSignedTlsClientAuth: true,
  tlsClientAuth: true,
  getCertificate: peer,
  certificateAuthorized: (ctx) => ctx.socket.authorized,
  certificateSubjectMatches: (ctx, property, expected) =>
    property === 'tls_client_auth_san_dns'
    && (peer(ctx)?.subjectAltName ?? '').split(', ').includes(`DNS:${expected}`),
};

const privateJwk = ({ pem, alg, kid }) => ({
  ...crypto.createPrivateKey(pem).export({ format: 'jwk' }), alg, kid, use: 'sig',
});

// A token for "nobody" has no subject of its own in what introspection says.
const extraTokenClaims = (_ctx, token) =>
  token.clientId === 'nobody' ? { tenant: 'acme' } : { tenant: 'acme', sub: token.clientId };

const makeProvider = (config, port) => {
  const provider = new Provider(`https://localhost:${port}`, {
    jwks: { keys: config.keys.map(privateJwk) },
    clients: config.clients,
    scopes: ['orders.read', 'orders.write'],
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
      'tls_client_auth', 'self_signed_tls_client_auth',
    ],
    enabledJWA: { dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'] },
    extraTokenClaims,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: {
        enabled: true,
        nonceSecret: Buffer.alloc(32, 7),
        requireNonce: (ctx) => ctx.oidc.client?.clientId.startsWith('nonce') ?? false,
      },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true },
      mTLS,
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: resourceServer(config.encryption_key),
      },
      revocation: { enabled: true },
    },
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  return provider;
};

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const config = JSON.parse((await lines.next()).value);
let handle;
const server = https.createServer({
  cert: config.certificate,
  key: config.key,
  ca: config.ca,
  requestCert: true,
  rejectUnauthorized: false,
}, (request, response) => {
  response.on('finish', () =>
    console.log(`${request.method} ${request.url} ${response.statusCode}`));
  handle(request, response);
});
server.listen(config.port, '127.0.0.1', async () => {
  const { port } = server.address();
  handle = makeProvider(config, port).callback();
  console.log(`READY ${port}`);
  for await (const line of lines) {
    Object.assign(config, JSON.parse(line));
    handle = makeProvider(config, port).callback();
    console.log('CHANGED');
  }
  process.exit(0);
});
