"""Announce ``twistd sso-proxy`` and the built-in components."""

from twisted.application.service import ServiceMaker

from sso_proxy.plugin import PluginFactory

sso_proxy = ServiceMaker(
    "sso-proxy",
    "sso_proxy.tap",
    "A reverse proxy that takes single sign-on off applications' hands.",
    "sso-proxy",
)

bearer_authenticator = PluginFactory(
    name="bearer",
    makes="IAuthenticator",
    target="sso_proxy.authn.bearer:BearerAuthenticator",
)
mtls_authenticator = PluginFactory(
    name="mtls",
    makes="IAuthenticator",
    target="sso_proxy.authn.mtls:MtlsAuthenticator",
)
aws_alb_authenticator = PluginFactory(
    name="aws_alb",
    makes="IAuthenticator",
    target="sso_proxy.authn.aws_alb:AwsAlbAuthenticator",
)
pubtkt_authenticator = PluginFactory(
    name="pubtkt",
    makes="IAuthenticator",
    target="sso_proxy.authn.pubtkt:PubtktAuthenticator",
)
auth_tkt_authenticator = PluginFactory(
    name="auth_tkt",
    makes="IAuthenticator",
    target="sso_proxy.authn.auth_tkt:AuthTktAuthenticator",
)
oidc_authenticator = PluginFactory(
    name="oidc",
    makes="IAuthenticator",
    target="sso_proxy.authn.oidc:OidcAuthenticator",
)
oidc_discovery_authenticator = PluginFactory(
    name="oidc_discovery",
    makes="IAuthenticator",
    target="sso_proxy.authn.oidc_many:OidcDiscovery",
)
openid2_authenticator = PluginFactory(
    name="openid2",
    makes="IAuthenticator",
    target="sso_proxy.authn.openid2:OpenId2Authenticator",
)
basic_authenticator = PluginFactory(
    name="basic",
    makes="IAuthenticator",
    target="sso_proxy.authn.basic:BasicAuthenticator",
)
form_authenticator = PluginFactory(
    name="form",
    makes="IAuthenticator",
    target="sso_proxy.authn.form:FormAuthenticator",
)
htpasswd_checker = PluginFactory(
    name="htpasswd",
    makes="IPasswordChecker",
    target="sso_proxy.checkers.htpasswd:HtpasswdChecker",
)
anonymous_authenticator = PluginFactory(
    name="anonymous",
    makes="IAuthenticator",
    target="sso_proxy.authn.anonymous:AnonymousAuthenticator",
)
static_mapper = PluginFactory(
    name="static",
    makes="IUserMapper",
    target="sso_proxy.mappers.static:StaticMapper",
)
claim_mapper = PluginFactory(
    name="claim",
    makes="IUserMapper",
    target="sso_proxy.mappers.claim:ClaimMapper",
)
chain_mapper = PluginFactory(
    name="chain",
    makes="IUserMapper",
    target="sso_proxy.mappers.chain:ChainMapper",
)
file_mapper = PluginFactory(
    name="file",
    makes="IUserMapper",
    target="sso_proxy.mappers.file:FileMapper",
)
mod_auth_openidc_mapper = PluginFactory(
    name="mod_auth_openidc",
    makes="IUserMapper",
    target="sso_proxy.mappers.mod_auth_openidc:RemoteUserMapper",
)
ldap_mapper = PluginFactory(
    name="ldap",
    makes="IUserMapper",
    target="sso_proxy.mappers.ldap:LdapMapper",
)
ldap_checker = PluginFactory(
    name="ldap",
    makes="IPasswordChecker",
    target="sso_proxy.checkers.ldap:LdapChecker",
)
pattern_mapper = PluginFactory(
    name="pattern",
    makes="IUserMapper",
    target="sso_proxy.mappers.pattern:PatternMapper",
)
local_cache = PluginFactory(
    name="local",
    makes="ICache",
    target="sso_proxy.caches.local:LocalCache",
)
memory_cache = PluginFactory(
    name="memory",
    makes="ICache",
    target="sso_proxy.caches.memory:MemoryCache",
)
memcached_cache = PluginFactory(
    name="memcached",
    makes="ICache",
    target="sso_proxy.caches.memcached:MemcachedCache",
)
redis_cache = PluginFactory(
    name="redis",
    makes="ICache",
    target="sso_proxy.caches.redis:RedisCache",
)
server_sessions = PluginFactory(
    name="server",
    makes="ISessionStore",
    target="sso_proxy.sessions.server:ServerSessions",
)
cookie_sessions = PluginFactory(
    name="cookie",
    makes="ISessionStore",
    target="sso_proxy.sessions.cookie:CookieSessions",
)
dpop_binding = PluginFactory(
    name="dpop",
    makes="IBinding",
    target="sso_proxy.authn.dpop_binding:DpopBinding",
)
certificate_binding = PluginFactory(
    name="certificate",
    makes="IBinding",
    target="sso_proxy.authn.certificate_binding:CertificateBinding",
)
token_binding = PluginFactory(
    name="token_binding",
    makes="IBinding",
    target="sso_proxy.authn.token_binding:TokenBinding",
)
device_binding = PluginFactory(
    name="device",
    makes="IBinding",
    target="sso_proxy.authn.device_binding:DeviceBinding",
)
jwt_token = PluginFactory(
    name="jwt",
    makes="ITokenSource",
    target="sso_proxy.tokens.jwt:JwtSource",
)
exchange_token = PluginFactory(
    name="exchange",
    makes="ITokenSource",
    target="sso_proxy.tokens.exchange:ExchangeSource",
)
client_credentials_token = PluginFactory(
    name="client_credentials",
    makes="ITokenSource",
    target="sso_proxy.tokens.client_credentials:ClientCredentialsSource",
)
jwt_bearer_token = PluginFactory(
    name="jwt_bearer",
    makes="ITokenSource",
    target="sso_proxy.tokens.jwt_bearer:JwtBearerSource",
)
refresh_token = PluginFactory(
    name="refresh",
    makes="ITokenSource",
    target="sso_proxy.tokens.refresh:RefreshSource",
)
ropc_token = PluginFactory(
    name="ropc",
    makes="ITokenSource",
    target="sso_proxy.tokens.ropc:RopcSource",
)
saml2_bearer_token = PluginFactory(
    name="saml2_bearer",
    makes="ITokenSource",
    target="sso_proxy.tokens.saml2_bearer:Saml2BearerSource",
)
auth_tkt_token = PluginFactory(
    name="auth_tkt",
    makes="ITokenSource",
    target="sso_proxy.tokens.auth_tkt:AuthTktSource",
)
pubtkt_token = PluginFactory(
    name="pubtkt",
    makes="ITokenSource",
    target="sso_proxy.tokens.pubtkt:PubtktSource",
)
wstrust_token = PluginFactory(
    name="wstrust",
    makes="ITokenSource",
    target="sso_proxy.tokens.wstrust:WsTrustSource",
)
rules_policy = PluginFactory(
    name="rules",
    makes="IPolicy",
    target="sso_proxy.authz.rules:RulesPolicy",
)
xacml_policy = PluginFactory(
    name="xacml",
    makes="IPolicy",
    target="sso_proxy.authz.xacml:XacmlPolicy",
)
authzen_policy = PluginFactory(
    name="authzen",
    makes="IPolicy",
    target="sso_proxy.authz.authzen:AuthzenPolicy",
)
