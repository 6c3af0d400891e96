// The authorization server that tests get tokens from: npm oidc-provider over https.
//
// The first line of standard input is its configuration, as JSON; every further line is
// a part of it to change, after which the server begins anew on the same socket. The end
// of standard input ends it. It prints READY with its port, CHANGED, and a line for every
// request that it answered.
//
// People log in by a form without password, or at once where a login_hint says who they
// are; nobody is asked for consent, and mallory is denied.

import * as crypto from 'node:crypto';
import * as https from 'node:https';
import * as readline from 'node:readline';

import * as jose from 'jose';
import Provider, { errors } from 'oidc-provider';

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
const extraTokenClaims = (_ctx, token) => (token.clientId === 'nobody'
  ? { tenant: 'acme' }
  : { tenant: 'acme', sub: token.accountId ?? token.clientId });

const findAccount = (_ctx, accountId) => ({
  accountId,
  claims: () => ({
    sub: accountId,
    email: `${accountId}@example.com`,
    email_verified: true,
    name: accountId,
  }),
});

const grantAll = async (ctx) => {
  const { client, provider, session, params, resourceServers } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope('openid profile email offline_access orders.read orders.write');
  for (const resource of Object.keys(resourceServers ?? {})) {
    grant.addResourceScope(resource, params.scope);
  }
  await grant.save();
  return grant;
};

// All clients are on this machine, whatever they are called.
const lookup = (_name, options, done) =>
  options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);

const fetchHere = (ca) => async (url, options) => {
  const asked = new Request(url, options);
  const body = Buffer.from(await asked.arrayBuffer());
  const { method, signal } = asked;
  const headers = Object.fromEntries(asked.headers);
  return new Promise((resolve, reject) => {
    https.request(url, { method, headers, ca, lookup, signal }, (answer) => {
      answer.resume().on('end', () => resolve(new Response(null, { status: answer.statusCode })));
    }).on('error', reject).end(body);
  });
};

const readBody = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
};

const FORM = `<!DOCTYPE html><html lang="en"><title>Log in</title>
<form method="post"><label>Name <input name="login" autofocus></label><button>Log in</button>
</form>`;

const interact = async (provider, request, response) => {
  const { params, prompt } = await provider.interactionDetails(request, response);
  let login = params.login_hint;
  if (request.method === 'POST') {
    login = (await readBody(request)).get('login');
  }
  if (prompt.name !== 'login' || login === undefined) {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(FORM);
    return;
  }
  const result = login === 'mallory'
    ? { error: 'access_denied', error_description: 'not mallory' }
    : { login: { accountId: login, acr: params.acr_values?.split(' ')[0] } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
};

const makeHandler = (provider) => {
  const callback = provider.callback();
  return (request, response) => {
    if (request.url.startsWith('/interaction/')) {
      interact(provider, request, response).catch((error) => {
        console.error(error);
        response.writeHead(500).end();
      });
    } else {
      callback(request, response);
    }
  };
};

const LOGINS = {
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  cookies: { keys: ['only for tests'] },
  findAccount,
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  loadExistingGrant: grantAll,
  rotateRefreshToken: true,
};

const SIGNED = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519', 'HS256'];
const FOR_KEYS = [
  'RSA-OAEP', 'RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW', 'A128KW', 'A192KW',
  'A256KW', 'dir',
];
const FOR_CONTENT = ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512'];
const ALGORITHMS = {
  dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'],
  clientAuthSigningAlgValues: SIGNED,
  idTokenSigningAlgValues: SIGNED,
  userinfoSigningAlgValues: SIGNED,
  authorizationSigningAlgValues: SIGNED,
  requestObjectSigningAlgValues: SIGNED,
  idTokenEncryptionAlgValues: FOR_KEYS,
  idTokenEncryptionEncValues: FOR_CONTENT,
  userinfoEncryptionAlgValues: FOR_KEYS,
  userinfoEncryptionEncValues: FOR_CONTENT,
  authorizationEncryptionAlgValues: FOR_KEYS,
  authorizationEncryptionEncValues: FOR_CONTENT,
};

const LOGIN_FEATURES = {
  backchannelLogout: { enabled: true },
  claimsParameter: { enabled: true },
  encryption: { enabled: true },
  jwtResponseModes: { enabled: true },
  jwtUserinfo: { enabled: true },
  pushedAuthorizationRequests: { enabled: true },
  requestObjects: { enabled: true },
};

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

// Assertions of whoever `assertions` names, { issuer, jwks }, are good for tokens (RFC 7523).
const takeAssertions = (provider, { assertions, encryption_key: key }) => {
  const keys = jose.createLocalJWKSet(assertions.jwks);
  provider.registerGrantType(JWT_BEARER, async (ctx) => {
    const { client, params } = ctx.oidc;
    const { payload } = await jose.jwtVerify(params.assertion, keys, {
      audience: provider.issuer,
      issuer: assertions.issuer,
      requiredClaims: ['exp', 'iat', 'sub'],
    }).catch((error) => {
      throw new errors.InvalidGrant(error.message);
    });
    const token = new provider.AccessToken({ accountId: payload.sub, client, gty: 'jwt_bearer' });
    const info = resourceServer(key)(ctx, params.resource);
    token.resourceServer = new provider.ResourceServer(params.resource, info);
    token.scope = info.scope;
    ctx.body = {
      access_token: await token.save(),
      expires_in: token.expiration,
      token_type: token.tokenType,
    };
  }, ['assertion', 'resource']);
};

const registration = (token) => (token === undefined ? {} : {
  registration: { enabled: true, initialAccessToken: token },
  registrationManagement: { enabled: true },
});

const makeProvider = (config, port) => {
  const provider = new Provider(`https://localhost:${port}`, {
    jwks: { keys: config.keys.map(privateJwk) },
    clients: config.clients,
    ...LOGINS,
    acrValues: ['silver', 'gold'],
    responseTypes: ['code', 'id_token', 'code id_token', 'id_token token', 'code id_token token'],
    scopes: ['openid', 'offline_access', 'orders.read', 'orders.write'],
    ttl: { AccessToken: config.token_ttl ?? 3600 },
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
      'tls_client_auth', 'self_signed_tls_client_auth', 'none',
    ],
    enabledJWA: ALGORITHMS,
    extraTokenClaims,
    fetch: fetchHere(config.ca),
    features: {
      ...LOGIN_FEATURES,
      ...registration(config.registration_token),
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
  if (config.assertions !== undefined) takeAssertions(provider, config);
  provider.on('server_error', (_ctx, error) => console.error(error));
  provider.on('backchannel.success', (_ctx, client) => console.log(`TOLD ${client.clientId}`));
  provider.on('backchannel.error', (_ctx, error, client) =>
    console.log(`NOT TOLD ${client.clientId} ${error}`));
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
  const { end } = response;
  response.end = (...rest) => {
    // Before anybody can have the whole answer, who looks here next.
    console.log(`${request.method} ${request.url} ${response.statusCode}`);
    return end.apply(response, rest);
  };
  handle(request, response);
});
server.listen(config.port, '127.0.0.1', async () => {
  const { port } = server.address();
  handle = makeHandler(makeProvider(config, port));
  console.log(`READY ${port}`);
  for await (const line of lines) {
    Object.assign(config, JSON.parse(line));
    handle = makeHandler(makeProvider(config, port));
    console.log('CHANGED');
  }
  process.exit(0);
});
