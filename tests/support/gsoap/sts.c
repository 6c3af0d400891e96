/*
 * A security token service out of gSOAP: its SOAP, WS-Security, WS-Addressing and
 * signatures; the policy is ours.  usage: sts FILE CA|- (port, key and certificate in PEM)
 *
 * Who asks: the client certificate, HTTP Basic, or a UsernameToken (text or digest),
 * each "sts-client".  For whom: OnBehalfOf, ActAs, ValidateTarget, or else what the
 * security header has: a UsernameToken, an assertion, or octets "ticket-of-NAME".
 */
#include "wstapi.h"
#include "wst.nsmap"

static const char *CLIENT = "sts-client", *SECRET = "sts <secret>";
static const char *TICKET = "urn:example:ticket";
static const char *SAML2 =
    "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0";
static const char *WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
static EVP_PKEY *key;
static X509 *certificate;
static int with_ca;

static int refuse(struct soap *soap, const char *code, const char *reason)
{
    return soap_wsse_sender_fault_subcode(soap, code, reason, NULL);
}

static int is(const char *a, const char *b) { return a && b && !strcmp(a, b); }

static const char *name_in_ticket(struct soap *soap, struct _wsse__BinarySecurityToken *t)
{
    int size = 0;
    const char *text;
    if (!is(t->ValueType, TICKET) || !t->EncodingType)
        return NULL;
    text = soap_base642s(soap, t->__item, NULL, 0, &size);
    if (!text || strncmp(text, "ticket-of-", 10))
        return NULL;
    return text + 10;
}

static const char *name_in(struct soap *soap, struct _wsse__UsernameToken *user,
                           struct _wsse__BinarySecurityToken *octets,
                           saml2__AssertionType *assertion)
{
    if (octets)
        return name_in_ticket(soap, octets);
    if (assertion && assertion->saml2__Subject && assertion->saml2__Subject->saml2__NameID)
        return assertion->saml2__Subject->saml2__NameID->__item;
    if (user && (!user->Password || is(user->Password->__item, "legacy")))
        return user->Username;
    return NULL;
}

/* Says who asks, or faults. */
static int authenticate(struct soap *soap, int *by_header)
{
    _wsse__Security *security = soap_wsse_Security(soap);
    *by_header = 0;
    if (security && security->UsernameToken &&
        is(security->UsernameToken->Username, CLIENT)) {
        *by_header = 1;
        return soap_wsse_verify_Password(soap, SECRET);
    }
    if (is(soap->userid, CLIENT) && is(soap->passwd, SECRET))
        return SOAP_OK;
    if (with_ca && SSL_get_peer_certificate(soap->ssl))
        return SOAP_OK;
    return refuse(soap, "wsse:FailedAuthentication", "who asks?");
}

static const char *whom(struct soap *soap, struct wst__RequestSecurityTokenType *asked,
                        int by_header)
{
    struct wst__OnBehalfOfType *t = asked->OnBehalfOf;
    _wsse__Security *security = soap_wsse_Security(soap);
    if (!t)
        t = asked->wst14__ActAs;
    if (!t)
        t = asked->ValidateTarget;
    if (t)
        return name_in(soap, t->wsse__UsernameToken, t->wsse__BinarySecurityToken,
                       t->saml2__Assertion);
    if (!security)
        return NULL;
    return name_in(soap, by_header ? NULL : security->UsernameToken,
                   security->BinarySecurityToken, security->saml2__Assertion);
}

static const char *audience_of(struct wst__RequestSecurityTokenType *asked)
{
    if (!asked->wsp__AppliesTo || !asked->wsp__AppliesTo->wsa5__EndpointReference)
        return "";
    return asked->wsp__AppliesTo->wsa5__EndpointReference->Address;
}

static saml2__AssertionType *build_assertion(struct soap *soap, const char *name,
                                             const char *audience, time_t end)
{
    saml2__AssertionType *made = soap_new_saml2__AssertionType(soap, -1);
    struct saml2__ConditionsType *bound = soap_new_saml2__ConditionsType(soap, -1);
    struct saml2__AudienceRestrictionType *whose;
    made->Version = "2.0";
    made->ID = (char *)soap_wsa_rand_uuid(soap);
    made->ID[0] = '_'; /* an ID begins with a letter or an underscore */
    for (char *c = made->ID; *c; c++)
        if (*c == ':')
            *c = '-';
    made->wsu__Id = NULL;
    made->IssueInstant.tv_sec = time(NULL);
    made->saml2__Issuer = soap_new_saml2__NameIDType(soap, -1);
    made->saml2__Issuer->__item = "https://sts.example.com/";
    made->saml2__Subject = soap_new_saml2__SubjectType(soap, -1);
    made->saml2__Subject->saml2__NameID = soap_new_saml2__NameIDType(soap, -1);
    made->saml2__Subject->saml2__NameID->__item = (char *)name;
    made->saml2__Conditions = bound;
    bound->NotOnOrAfter = soap_malloc(soap, sizeof(*bound->NotOnOrAfter));
    memset(bound->NotOnOrAfter, 0, sizeof(*bound->NotOnOrAfter));
    bound->NotOnOrAfter->tv_sec = end;
    whose = soap_new_saml2__AudienceRestrictionType(soap, -1);
    whose->__sizeAudience = 1;
    whose->saml2__Audience = soap_malloc(soap, sizeof(char *));
    whose->saml2__Audience[0] = (char *)audience;
    bound->__size_ConditionsType = 1;
    bound->__union_ConditionsType =
        soap_malloc(soap, sizeof(*bound->__union_ConditionsType));
    memset(bound->__union_ConditionsType, 0, sizeof(*bound->__union_ConditionsType));
    bound->__union_ConditionsType->saml2__AudienceRestriction = whose;
    return made;
}

static char *joined(struct soap *soap, const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = soap_malloc(soap, size);
    snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

static int put_token(struct soap *soap, struct wst__RequestSecurityTokenResponseType *said,
                     const char *type, const char *name, const char *audience, time_t end)
{
    struct wst__RequestedSecurityTokenType *token =
        soap_new_wst__RequestedSecurityTokenType(soap, -1);
    said->TokenType = (char *)type;
    said->RequestedSecurityToken = token;
    if (is(type, TICKET)) {
        const char *text = joined(soap, name, " at ", audience);
        token->wsse__BinarySecurityToken = soap_new__wsse__BinarySecurityToken(soap, -1);
        token->wsse__BinarySecurityToken->ValueType = (char *)TICKET;
        token->wsse__BinarySecurityToken->__item = soap_s2base64(
            soap, (const unsigned char *)text, NULL, (int)strlen(text));
        return SOAP_OK;
    }
    if (!is(type, SAML2))
        return refuse(soap, "wst:BadRequest", "no such token type");
    token->saml2__Assertion = build_assertion(soap, name, audience, end);
    return soap_wsse_sign_saml2(soap, token->saml2__Assertion, SOAP_SMD_SIGN_RSA_SHA256,
                                key, 0, certificate);
}

/* Sends a response as it is, or in a collection: what the generated stub does. */
static int answer(struct soap *soap, struct wst__RequestSecurityTokenResponseType *said,
                  int bare)
{
    struct wst__RequestSecurityTokenResponseCollectionType all;
    soap_default_wst__RequestSecurityTokenResponseCollectionType(soap, &all);
    all.__sizeRequestSecurityTokenResponse = 1;
    all.RequestSecurityTokenResponse = said;
    soap->encodingStyle = NULL;
    soap_serializeheader(soap);
    if (soap_response(soap, SOAP_OK) || soap_envelope_begin_out(soap) ||
        soap_putheader(soap) || soap_body_begin_out(soap))
        return soap->error;
    if (bare ? soap_put_wst__RequestSecurityTokenResponseType(
                   soap, said, "wst:RequestSecurityTokenResponse", NULL)
             : soap_put_wst__RequestSecurityTokenResponseCollectionType(
                   soap, &all, "wst:RequestSecurityTokenResponseCollection", NULL))
        return soap->error;
    if (soap_body_end_out(soap) || soap_envelope_end_out(soap) || soap_end_send(soap))
        return soap->error;
    soap_closesock(soap);
    return SOAP_STOP;
}

int __wst__RequestSecurityToken(struct soap *soap,
                                struct wst__RequestSecurityTokenType *asked,
                                struct wst__RequestSecurityTokenResponseType *said)
{
    int by_header, validates = asked->ValidateTarget != NULL;
    const char *name, *audience = audience_of(asked);
    time_t end = time(NULL) + 300;
    if (soap_wsa_check(soap) || soap_wsse_verify_Timestamp(soap) ||
        authenticate(soap, &by_header))
        return soap->error;
    name = whom(soap, asked, by_header);
    if (validates) {
        said->Status = soap_new_wst__StatusType(soap, -1);
        said->Status->Code = joined(soap, WST, "/status/", name ? "valid" : "invalid");
        said->Status->Reason = "it was looked at";
    } else {
        if (!name)
            return refuse(soap, "wst:InvalidSecurityToken", "for whom?");
        if (is(name, "nobody"))
            return refuse(soap, "wst:RequestFailed", "nobody gets a token");
        if (is(name, "broken"))
            return soap_receiver_fault(soap, "out of order", NULL);
        if (!*audience || strstr(audience, "unknown"))
            return refuse(soap, "wst:InvalidScope", "no such audience");
        if (put_token(soap, said, asked->TokenType, name, audience, end))
            return soap->error;
        said->wsp__AppliesTo = asked->wsp__AppliesTo;
        said->Lifetime = soap_new_wst__LifetimeType(soap, -1);
        said->Lifetime->wsu__Expires = soap_strdup(soap, soap_dateTime2s(soap, end));
    }
    soap_wsse_delete_Security(soap);
    if (soap_wsa_reply(soap, NULL,
                       joined(soap, WST, validates ? "/RSTR/" : "/RSTRC/",
                              validates ? "ValidateFinal" : "IssueFinal")))
        return soap->error;
    return answer(soap, said, validates || is(name, "bare"));
}

int __wst__RequestSecurityTokenResponse(
    struct soap *soap, struct wst__RequestSecurityTokenResponseType *asked,
    struct wst__RequestSecurityTokenResponseCollectionType *said)
{
    (void)asked, (void)said;
    return refuse(soap, "wst:InvalidRequest", "nothing was asked");
}

int __wst__RequestSecurityTokenCollection(
    struct soap *soap, struct wst__RequestSecurityTokenCollectionType *asked,
    struct wst__RequestSecurityTokenResponseCollectionType *said)
{
    (void)asked, (void)said;
    return refuse(soap, "wst:InvalidRequest", "one at a time");
}

/* The addressing plugin hands on faults that come back; nobody sends us any. */
int SOAP_ENV__Fault(struct soap *soap, char *faultcode, char *faultstring,
                    char *faultactor, struct SOAP_ENV__Detail *detail,
                    struct SOAP_ENV__Code *code, struct SOAP_ENV__Reason *reason,
                    char *node, char *role, struct SOAP_ENV__Detail *more)
{
    (void)faultcode, (void)faultstring, (void)faultactor, (void)detail, (void)code;
    (void)reason, (void)node, (void)role, (void)more;
    return soap_send_empty_response(soap, 202);
}

int main(int count, char **words)
{
    struct soap *soap = soap_new1(SOAP_XML_CANONICAL | SOAP_IO_STORE);
    FILE *file;
    if (count != 4 || !(file = fopen(words[2], "r")))
        return 2;
    key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    rewind(file);
    certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    with_ca = strcmp(words[3], "-") != 0;
    soap->accept_timeout = 60; /* seconds without a request: whose tests are over */
    soap->send_timeout = soap->recv_timeout = 5;
    soap->bind_flags = SO_REUSEADDR;
    soap_register_plugin(soap, soap_wsa);
    soap_register_plugin(soap, soap_wsse);
    if (soap_ssl_server_context(
            soap, with_ca ? SOAP_SSL_REQUIRE_CLIENT_AUTHENTICATION : SOAP_SSL_DEFAULT,
            words[2], NULL, with_ca ? words[3] : NULL, NULL, NULL, NULL, NULL) ||
        !soap_valid_socket(soap_bind(soap, "127.0.0.1", atoi(words[1]), 100)))
        return soap_print_fault(soap, stderr), 1;
    while (soap_valid_socket(soap_accept(soap))) {
        if (soap_ssl_accept(soap) || soap_serve(soap))
            soap_print_fault(soap, stderr);
        soap_destroy(soap);
        soap_end(soap);
    }
    return 0;
}
