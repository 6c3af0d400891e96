"""
Every row A to F of the attack corpus that `PENDING` does not name, and its tests.

A row is a bug of a product like this one: its identifier in the corpus, what was sent
to whom, and the tests that send it to us.  Where a row cannot apply, `why` says so.
"""

from typing import Final

import attrs

FIELDS: Final = "attacks/test_identity_fields.py::"
PATHS: Final = "attacks/test_paths.py::"
PAYLOADS: Final = "attacks/test_payloads.py::"
REFUSED: Final = PAYLOADS + "test_a_payload_is_refused_with_an_answer"
ALLOWED: Final = PAYLOADS + "test_a_payload_arrives_without_what_it_smuggles"
ANSWERS: Final = "attacks/test_answers.py::"
LIMITS: Final = "attacks/test_limits.py::"
GENERATED: Final = "attacks/test_generated.py::"
TLS: Final = "attacks/test_tls.py::"
CONTEXT: Final = "net/tls/test_context.py::"
BOUND: Final = "net/tls/test_token_binding.py::"
PROVED: Final = "test_token_binding_pipeline.py::"
BEARER: Final = "authn/test_bearer.py::"
ISSUERS: Final = "authn/test_bearer_sources.py::"
CLAIMS: Final = "specs/oauth/test_claims.py::"
JWT: Final = "authn/verifiers/test_jwt.py::"
CLIENT: Final = "net/test_http_client.py::"
PUBLISHED_KEYS: Final = "net/test_jwks.py::"
PUBLISHED_URLS: Final = "specs/oauth/test_urls.py::"
ENCRYPTED: Final = "specs/jose/test_encrypted.py::"
MINTED: Final = "tokens/test_jwt.py::"
BACKENDS: Final = "docs/test_token_for_a_backend.py::"
TOKENS: Final = "attacks/test_tokens_attacked.py::"
RULES: Final = "attacks/test_rules_attacked.py::"
XACML: Final = "authz/test_xacml_questions.py::"

PASSWORDS: Final = "attacks/test_passwords_attacked.py::"
HTPASSWD: Final = "checkers/test_htpasswd.py::"
COMMON: Final = "sessions/test_common.py::"
SEALED: Final = "test_sealed.py::"
COOKIES: Final = "specs/http/test_cookies.py::"
OWN_COOKIES: Final = "test_bound_cookies.py::"
DEVICE_COOKIES: Final = "test_device_cookies.py::"
EDGE_COOKIES: Final = "edge/test_exchange_of_cookies.py::"
STATES: Final = "sessions/test_login_state.py::"
SERVER: Final = "sessions/test_server.py::"
THOUSANDS: Final = "interop/test_sessions.py::"
LOGINS: Final = "endpoints/test_logins.py::"
INFO: Final = "endpoints/test_session_info.py::"
ACCOUNTS: Final = "attacks/test_accounts_attacked.py::"
LOGOUTS: Final = "endpoints/test_logouts.py::"
RESPONSES: Final = "specs/oidc/test_response.py::"
TARGETS: Final = "specs/http/test_return_target.py::"
ADMIN: Final = "endpoints/test_admin.py::"
REVOCATIONS: Final = "endpoints/test_revocations.py::"

ASKED: Final = "test_forward_auth_pipeline.py::"
ORIGINAL: Final = "specs/http/test_original.py::"
BESIDE: Final = "docs/test_forward_auth_howto.py::"
ADDED: Final = ASKED + "test_what_a_client_adds_decides_nothing"
FORGED: Final = ORIGINAL + "test_a_field_that_only_we_may_send_is_no_question"

STRIPPED: Final = FIELDS + "test_managed_names_are_stripped_in_every_spelling"
ANEW: Final = FIELDS + "test_what_is_said_about_the_client_is_made_anew"
CONNECTION: Final = FIELDS + "test_connection_takes_none_of_our_fields_away"
GUARDED: Final = PATHS + "test_every_spelling_of_a_guarded_path_is_guarded"
AMBIGUOUS: Final = PATHS + "test_a_path_with_two_readings_is_refused"
SENT: Final = PATHS + "test_the_backend_gets_the_path_that_was_decided_on"
HOSTS: Final = PATHS + "test_every_spelling_of_a_guarded_host_is_guarded"
NO_FIELD: Final = PATHS + "test_no_field_changes_what_is_decided_on"
NO_HTTP_2: Final = TLS + "test_http_2_is_not_spoken"
RULED: Final = RULES + "test_a_rule_sees_every_spelling_of_its_path"
UNRULED: Final = RULES + "test_a_path_with_two_readings_reaches_no_rule"
EXACTLY: Final = GENERATED + "test_the_backend_gets_what_was_decided_on_or_nothing"


PENDING: Final[dict[str, str]] = {}
"""Rows about what is not there yet."""


@attrs.frozen
class Row:
    """One attack, and the tests that show it; *why* it cannot apply, or not wholly."""

    attack: str
    tests: tuple[str, ...]
    why: str = ""


def row(attack: str, *tests: str, why: str = "") -> Row:
    """Make a row."""
    return Row(attack, tests, why)


TABLE: Final = {
    "A1": row(
        "X_Forwarded_Email beside ours",
        STRIPPED,
        TOKENS + "test_nobody_else_says_what_we_deliver",
        TOKENS + "test_a_source_in_every_spelling_at_once_goes_nowhere",
        RULES + "test_what_a_rule_sets_is_said_by_nobody_else",
        RULES + "test_what_a_rule_removes_is_removed_in_every_spelling",
    ),
    "A2": row("X_forwarded_proto alters the decision", ANEW, NO_FIELD, FORGED),
    "A3": row("X_Auth_User beside X-Auth-User", STRIPPED),
    "A4": row("X.Auth.User, Remote.User", STRIPPED),
    "A5": row(
        "a client's field where we set none",
        FIELDS + "test_a_claim_that_is_missing_is_not_the_clients_to_give",
        FORGED,
        BESIDE + "test_nobody_gets_further_by_what_they_say",
    ),
    "A7": row(
        "Connection: X-Forwarded-User",
        REFUSED + "[connection-managed]",
        REFUSED + "[connection-lower]",
        CONNECTION,
        BESIDE + "test_a_name_that_connection_lists_arrives_all_the_same",
    ),
    "A8": row("an empty first member of Connection", CONNECTION),
    "A9": row("Connection erases what a mutator set", CONNECTION),
    "A10": row("Proxy becomes HTTP_PROXY", ALLOWED + "[proxy]", STRIPPED),
    "A12": row("X-Client-IP of an untrusted peer", STRIPPED, ANEW),
    "A14": row("Host injects into Forwarded", REFUSED + "[host-forwarded]"),
    "A15": row(
        "X-Forwarded-Port, -Prefix left over",
        STRIPPED,
        ANEW,
        "test_forward_auth.py::test_browsers_are_sent_to_log_in_by_whole_urls",
    ),
    "A16": row(
        "an output's name where no plugin sets it",
        STRIPPED,
        FIELDS + "test_claims_arrive_once_whatever_the_client_says",
    ),
    "A17": row(
        "CR LF in a value of ours",
        FIELDS + "test_a_claim_with_control_characters_is_not_sent",
    ),
    "A18": row("identity fields on anonymous routes", STRIPPED),
    "A19": row(
        "credentials sent to side services",
        FIELDS + "test_credentials_go_nowhere_else",
        why="error pages are our own: there is no side service to send them to",
    ),
    "A20": row("a field hidden behind a bare LF", REFUSED + "[hidden-field]", EXACTLY),
    "A21": row(
        "claims of any characters and any length",
        FIELDS + "test_a_claim_with_control_characters_is_not_sent",
        FIELDS + "test_a_claim_beyond_ascii_is_escaped",
        FIELDS + "test_a_claim_of_any_length_breaks_no_backend",
        FIELDS + "test_a_claim_that_is_another_kind_of_list_is_not_guessed",
    ),
    "A22": row("x-envoy-original-path", STRIPPED),
    "B1": row("a rule that a query can match", GUARDED, SENT),
    "B3": row(
        "X-Forwarded-Uri decides",
        NO_FIELD,
        STRIPPED,
        ADDED,
        ASKED + "test_only_a_trusted_proxy_gets_answers",
    ),
    "B4": row("/public/../admin", GUARDED, SENT, EXACTLY),
    "B8": row("escapes switch a matcher's mode", GUARDED, AMBIGUOUS, SENT),
    "B9": row("/%61dmin, //admin, /./admin", GUARDED, EXACTLY),
    "B10": row("raw URI against canonical path", GUARDED, EXACTLY),
    "B11": row("/admin;x=y/action", GUARDED, AMBIGUOUS, SENT),
    "B12": row(
        "a rewrite after the decision",
        GUARDED,
        AMBIGUOUS,
        RULED,
        RULES + "test_no_field_changes_what_rules_see",
        RULED,
        RULED,
        UNRULED,
        RULED,
        UNRULED,
        "test_prefixes.py::test_no_other_routes_paths_are_reached",
        "specs/http/test_prefix.py::"
        "test_no_canonical_path_becomes_another_kind_of_path",
        why="taking parameters off is decided on anew; a path without its prefix that"
        " another route of the same backend is for is refused",
    ),
    "B13": row(
        "?a=1;admin=1 and duplicate keys",
        SENT,
        why="no condition reads the query; it passes as it came",
    ),
    "B14": row(
        "/private./x, /private%20/x, backslashes",
        AMBIGUOUS,
        SENT,
        RULES + "test_another_path_is_another_path",
        why="a trailing dot or blank is one path only where no file system of Windows"
        " is behind; backslashes are refused, escaped ones by default",
    ),
    "B15": row(
        "case, dot and port of Host",
        HOSTS,
        TLS + "test_another_host_than_the_name_is_misdirected",
        RULES + "test_a_rule_sees_every_spelling_of_its_host",
    ),
    "B16": row(
        "two, bad or no Host",
        REFUSED + "[two-hosts]",
        REFUSED + "[host-user]",
        REFUSED + "[host-path]",
        REFUSED + "[no-host]",
    ),
    "B17": row(
        "an absolute target for another host",
        REFUSED + "[absolute-other-host]",
        PATHS + "test_an_absolute_target_chooses_the_same_route",
        TLS + "test_an_absolute_target_does_not_get_around_the_name",
    ),
    "B19": row("X-Forwarded-Proto selects the rule", NO_FIELD, ANEW, ADDED),
    "B20": row(
        "a token that one rule accepted passes another",
        PATHS + "test_a_token_is_judged_anew_on_each_route",
        PATHS + "test_the_short_way_for_equal_heads_is_guarded_as_the_long_one",
        XACML + "test_different_questions_have_different_keys",
        XACML + "test_subject_and_action_do_not_run_into_each_other",
        RULES + "test_a_connection_that_was_permitted_is_judged_by_each_path",
    ),
    "B21": row(
        "a cached token accepted for another issuer",
        "authn/test_bearer.py::test_a_token_verified_elsewhere_is_unknown_here",
        XACML + "test_same_name_of_another_issuer_is_another_caller",
        why="each authenticator remembers its own tokens",
    ),
    "B22": row(
        "path and query split twice",
        SENT,
        EXACTLY,
        ORIGINAL + "test_each_kind_says_it_in_its_own_place",
    ),
    "B23": row(
        "the route taken is not the route judged",
        GENERATED + "test_the_record_tells_what_the_backend_got",
        why="the route is looked up once, and the same object forwards",
    ),
    "B24": row(
        "groups that changed keep their effect",
        FIELDS + "test_a_repetition_does_not_outlive_its_token",
        XACML + "test_claims_that_changed_are_asked_about_anew",
        why="claims come with each token; nothing of them outlives it",
    ),
    "B25": row(
        "captures of another rule",
        "mappers/test_pattern.py::test_captures_belong_to_the_rule_that_matched",
    ),
    "B27": row(
        "OPTIONS passes, the backend reads an override",
        PATHS + "test_no_method_is_exempt",
        STRIPPED,
        RULES + "test_a_method_that_a_field_names_goes_nowhere",
    ),
    "B28": row(
        "a target without slash, * with GET",
        REFUSED + "[no-slash]",
        REFUSED + "[asterisk-get]",
    ),
    "C1": row(
        "a redirect to /\\evil, /%09/evil, ///evil after the login",
        LOGINS + "test_nobody_is_sent_elsewhere",
        TARGETS + "test_another_origin_is_refused",
        TARGETS + "test_known_tricks_are_refused",
        TARGETS + "test_a_browser_stays_here_whatever_is_accepted",
    ),
    "C2": row(
        "evilexample.com for .example.com",
        TARGETS + "test_another_origin_is_refused",
        TARGETS + "test_a_browser_stays_here_whatever_is_accepted",
        why="there is no list of other hosts: only the same origin is good",
    ),
    "C5": row(
        "a login that brings a token to another host",
        LOGINS + "test_nobody_is_sent_elsewhere",
        LOGINS + "test_nothing_of_the_login_stays_in_the_browser",
        why="no address that we send a browser to has a token in it",
    ),
    "C6": row(
        "parameters of a login that anybody can change",
        STATES + "test_another_browser_does_not_have_it",
        "sessions/test_keys.py::test_a_login_is_finished_by_who_began_it",
        STATES + "test_a_login_is_not_taken_for_another_one",
        STATES + "test_any_state_may_come_back",
        SEALED + "test_no_single_bit_can_be_changed",
    ),
    "C7": row(
        "the next user of a shared browser goes on as the last one",
        LOGINS + "test_who_chooses_to_log_in_is_nobody_meanwhile",
        COMMON + "test_a_login_gives_a_new_session",
    ),
    "C8": row(
        "an id from before the login",
        COMMON + "test_a_login_gives_a_new_session",
        COMMON + "test_an_id_that_we_did_not_give_is_nobody",
        LOGINS + "test_each_login_begins_a_new_session",
    ),
    "C9": row(
        "a login that has begun, shown as a session",
        SEALED + "test_nothing_is_believed_in_the_place_of_another",
        SEALED + "test_no_kind_opens_what_another_has_sealed",
        "sessions/test_records.py::test_a_record_of_another_kind_is_none",
        OWN_COOKIES + "test_nothing_else_that_we_seal_is_a_value",
        OWN_COOKIES + "test_what_opens_for_another_name_does_not_open",
        DEVICE_COOKIES + "test_our_cookie_is_of_one_host_and_one_application",
        DEVICE_COOKIES
        + "test_what_is_bound_to_other_keys_alone_is_not_read_as_bound_to_a_device",
    ),
    "C10": row(
        "a store that gives one user's session to another",
        THOUSANDS + "test_two_thousand_sessions_never_cross",
        "sessions/test_records.py::test_a_store_that_mixes_sessions_up_gives_none",
        "sessions/test_jar.py::test_pieces_of_two_values_are_never_one_of_them",
        EDGE_COOKIES + "test_one_answer_of_a_backend_is_sealed_for_each_client",
        EDGE_COOKIES
        + "test_repeated_requests_on_other_connections_are_opened_for_these_alone",
    ),
    "C11": row(
        "who asks at the same time gets another's result",
        "sessions/test_renewal.py::test_nobody_gets_what_came_of_anothers_change",
        "net/test_introspection_many.py::test_different_tokens_never_share_an_answer",
    ),
    "C12": row(
        "cookies without authentication of what is in them",
        SEALED + "test_no_single_bit_can_be_changed",
        SEALED + "test_no_octet_can_be_taken_off_or_added",
        "specs/jose/test_seal.py::test_form_is_the_one_that_is_written_down",
        COMMON + "test_a_changed_cookie_is_nobody",
        OWN_COOKIES + "test_a_changed_one_never_opens",
        OWN_COOKIES + "test_no_other_key_or_name_ever_opens",
    ),
    "C14": row(
        "any credential counts as a good one",
        BEARER + "test_wrong_tokens_are_refused",
        BEARER + "test_a_malformed_credential_is_a_bad_request",
        "test_pipeline.py::test_a_bad_credential_is_refused_and_nobody_else_asked",
        COMMON + "test_an_id_that_we_did_not_give_is_nobody",
    ),
    "C16": row(
        "a count of chunks in the billions",
        COOKIES + "test_a_count_is_one_digit",
        COOKIES + "test_chunks_beyond_the_count_mean_nothing",
    ),
    "C17": row(
        "a megabyte of cookies",
        COOKIES + "test_a_flood_of_cookies_is_refused",
        "specs/http/test_bound_cookies.py::test_a_long_field_takes_time_in_proportion",
        LIMITS + "test_what_is_too_long_is_refused",
    ),
    "C21": row(
        "ids that can be guessed",
        SERVER + "test_the_cookie_is_a_random_number_and_nothing_else",
        SERVER + "test_what_is_in_the_store_gives_nobody_a_session",
        COMMON + "test_the_id_in_lists_and_logs_is_no_cookie",
    ),
    "C22": row(
        "a cookie that is good after the logout",
        COMMON + "test_logging_out_ends_the_session_and_takes_the_cookies",
        "sessions/test_cookie.py::test_a_copy_is_over_for_as_long_as_it_would_last",
        THOUSANDS + "test_the_end_of_a_session_is_known_everywhere_within_a_second",
        why="a session in the browser alone, without cache, cannot be ended elsewhere:"
        " the documentation says so",
    ),
    "C23": row("X-Forwarded-For and Host decide who may pass", NO_FIELD, ANEW, HOSTS),
    "C24": row(
        "many spellings of a user, two doors, and a password instead of two factors",
        PASSWORDS + "test_no_spelling_and_no_other_door_gives_further_tries",
        "authn/test_passwords.py::"
        "test_tries_are_counted_by_the_account_whatever_name_was_typed",
        "checkers/test_ldap.py::"
        "test_the_right_password_is_right_however_the_name_is_typed",
        "checkers/test_ldap.py::test_a_wrong_password_is_wrong_and_says_whose",
        "authn/test_basic.py::test_it_says_nothing_about_when_somebody_typed_it",
        "authn/test_basic.py::test_a_better_login_is_not_had_by_asking_again",
    ),
    "C25": row(
        "the time that a wrong password takes tells who there is",
        PASSWORDS + "test_who_there_is_costs_as_much_work_as_who_there_is_not",
        HTPASSWD + "test_a_user_that_there_is_not_is_as_much_work",
        HTPASSWD + "test_where_hashes_differ_unknown_names_have_each_its_own_always",
        "checkers/test_ldap.py::test_for_a_name_that_nobody_has_a_bind_is_tried_too",
    ),
    "C26": row(
        "an address with two @",
        "mappers/test_pattern.py::test_an_address_in_two_domains_is_in_neither",
        "mappers/test_pattern.py::test_all_of_the_string_must_match",
    ),
    "C27": row(
        "an option without effect",
        "config/test_load.py::test_no_table_is_lost_on_the_way",
        "config/test_structure.py::test_unknown_option_gets_the_one_that_may_be_meant",
        "config/test_structure.py::test_unknown_option_like_no_other_gets_the_list",
    ),
    "C28": row(
        "User-Agent: GoogleHC/1.0",
        PATHS + "test_operators_have_no_paths_where_everybody_is",
        ADMIN + "test_only_the_exact_path_is_there",
    ),
    "C30": row(
        "ten tabs that begin ten logins",
        STATES + "test_ten_tabs_all_come_back",
        STATES + "test_the_oldest_go_first",
        STATES + "test_all_of_them_fit_into_any_header_section",
        LOGINS + "test_ten_tabs_that_were_restored_all_end_logged_in",
    ),
    "C31": row(
        "twenty requests that use one refresh token",
        "sessions/test_renewal.py::test_a_hundred_requests_ask_once",
        THOUSANDS + "test_a_hundred_requests_at_once_renew_once",
        "interop/test_sessions_in_stores.py::"
        "test_a_hundred_requests_at_two_proxies_renew_once",
        "sessions/test_cookie.py::"
        "test_a_request_that_was_under_way_goes_by_the_new_tokens",
    ),
    "C32": row(
        "a page about the user that has the tokens",
        "test_session_command.py::test_sessions_are_listed_and_ended_in_all_workers",
        COMMON + "test_the_id_in_lists_and_logs_is_no_cookie",
        ACCOUNTS + "test_nobody_ends_a_session_of_somebody_else",
        ACCOUNTS + "test_scripts_and_frames_see_nothing",
        "test_browser_parts.py::test_a_thief_without_the_device_sees_and_ends_nothing",
        "specs/test_session_info.py::test_nothing_is_told_that_was_not_chosen",
        INFO + "test_the_access_token_is_there_where_somebody_wrote_so",
        INFO + "test_pages_of_others_learn_nothing_and_cause_nothing",
    ),
    "C33": row(
        "/debug and /metrics where everybody is",
        PATHS + "test_operators_have_no_paths_where_everybody_is",
    ),
    "C34": row(
        "a token for others accepted by an internal interface",
        REVOCATIONS + "test_who_does_not_know_the_secret_is_401",
        why="it takes no tokens: its own secret, or a socket that has an owner",
    ),
    "C35": row(
        "a page of another origin posts to the operators' listener",
        ADMIN + "test_page_of_another_origin_gets_nothing",
        ADMIN + "test_name_that_was_rebound_to_us_is_refused",
        REVOCATIONS + "test_no_browser_may_ask",
        "endpoints/test_sessions.py::test_what_a_page_could_send_is_not_looked_at",
    ),
    "C36": row(
        "operators' paths compared by prefix",
        ADMIN + "test_only_the_exact_path_is_there",
        REVOCATIONS + "test_only_the_exact_path_is_there",
    ),
    "C38": row(
        "requests that come from 127.0.0.1",
        ANEW,
        NO_FIELD,
        "test_pipeline.py::test_an_untrusted_peer_says_nothing_about_the_client",
        why="nothing here repeats a request from this address, which is not trusted",
    ),
    "C40": row(
        "a page of others logs somebody out with an image, a frame or a form",
        LOGOUTS + "test_nothing_but_our_own_site_logs_anybody_out",
        LOGOUTS + "test_nobody_is_sent_to_another_site_afterwards",
        LOGOUTS + "test_another_site_cannot_finish_a_logout",
        ACCOUNTS + "test_no_form_of_others_and_no_frame_ends_anything",
        ACCOUNTS + "test_what_is_asked_for_in_a_query_does_nothing",
    ),
    "D3": row(
        "an active or signed token for somebody else",
        ISSUERS + "test_an_active_token_for_somebody_else_is_refused",
        CLAIMS + "test_another_audience_is_refused",
        CLAIMS + "test_the_issuer_is_compared_exactly",
        PATHS + "test_a_token_is_judged_anew_on_each_route",
        BACKENDS + "test_one_applications_token_is_refused_at_another",
    ),
    "D4": row(
        "a token of any client",
        CLAIMS + "test_tokens_of_other_clients_are_refused",
        BEARER + "test_clients_and_ages_may_be_limited",
        why="the audience, which is never optional, says whom a token is for; which"
        " clients may get one is the issuer's to say unless a list does",
    ),
    "D5": row(
        "a stranger's load balancer signs for us",
        "authn/test_aws_alb.py::"
        "test_another_load_balancer_is_refused_before_its_key_is_fetched",
        "authn/test_aws_alb.py::test_the_header_of_anybody_else_is_refused",
        BACKENDS + "test_a_token_of_another_key_is_refused",
        BACKENDS + "test_another_issuers_token_is_refused",
        MINTED + "test_what_a_callers_token_says_about_itself_is_not_told",
        MINTED + "test_no_claim_leaves_its_place",
        "attacks/test_minted.py::test_no_claim_of_a_caller_takes_the_place_of_ours",
    ),
    "D6": row(
        "a bound token without its proof",
        "test_pipeline.py::test_an_unknown_confirmation_is_refused",
        "authn/test_token_binding.py::test_a_bound_token_is_good_with_its_key_alone",
        "test_pipeline.py::test_a_confirmation_is_checked_whether_demanded_or_not",
        BEARER + "test_a_token_bound_by_dpop_is_no_bearer_token",
        ISSUERS + "test_a_dpop_token_that_was_asked_about_needs_a_proof",
    ),
    "D7": row(
        "JWE that unpacks to megabytes, p2c of billions",
        "specs/jose/test_decrypt.py::test_a_token_that_unpacks_to_megabytes_is_refused",
        ENCRYPTED + "test_other_key_algorithms_are_refused",
        ENCRYPTED + "test_a_token_and_its_header_are_not_longer_than_the_limits",
    ),
    "D8": row(
        "a key set that is huge or slow",
        PUBLISHED_KEYS + "test_a_set_that_is_too_long_is_refused",
        PUBLISHED_KEYS + "test_a_set_of_too_many_keys_is_refused",
        PUBLISHED_KEYS + "test_a_server_that_says_nothing_is_given_up",
    ),
    "D9": row(
        "a flood of names of keys",
        ISSUERS + "test_forged_names_of_keys_fetch_once_a_minute",
        PUBLISHED_KEYS + "test_a_thousand_different_unknown_keys_cause_one_fetch",
    ),
    "D11": row(
        "requests of ours led astray",
        PUBLISHED_URLS + "test_a_document_does_not_lead_into_the_local_network",
        PUBLISHED_KEYS + "test_a_redirect_is_not_followed",
        CLIENT + "test_a_form_is_never_sent_on_to_where_a_redirect_leads",
        JWT + "test_another_issuers_token_meets_none_of_our_keys",
        TOKENS + "test_a_bad_answer_gets_nobody_anything_and_is_forgotten",
        NO_FIELD,
    ),
    "D12": row(
        "certificates of issuers that nobody verifies",
        CLIENT + "test_a_server_of_another_ca_is_refused",
        CLIENT + "test_a_server_with_another_name_is_refused",
        CLIENT + "test_a_server_with_an_expired_certificate_is_refused",
        TOKENS + "test_nothing_is_sent_to_a_server_that_is_another",
        "net/test_ldap_dial.py::test_a_certificate_of_another_ca_is_refused",
        "net/test_ldap_dial.py::test_a_certificate_for_another_name_is_refused",
        "net/test_ldap_lookup.py::test_a_directory_without_tls_is_told_of",
        why="there is no option that turns it off",
    ),
    "D13": row(
        "an expired token",
        CLAIMS + "test_a_token_that_is_over_is_refused",
        CLAIMS + "test_what_an_introspection_response_says_has_to_be_right",
        BEARER + "test_a_remembered_token_is_looked_at_again_after_it_expires",
        FIELDS + "test_a_repetition_does_not_outlive_its_token",
    ),
    "D14": row(
        "an exchanged token keeps what the first one had",
        PATHS + "test_a_token_is_judged_anew_on_each_route",
        BEARER + "test_a_token_verified_elsewhere_is_unknown_here",
        TOKENS + "test_one_callers_token_is_given_to_nobody_else",
        TOKENS + "test_who_may_pass_without_a_token_passes_without_any",
        "tokens/test_granting.py::test_nothing_unusable_is_a_token",
        "tokens/test_granting.py::test_a_token_is_never_over_when_it_is_used",
    ),
    "D17": row(
        "a body that is read for a token",
        BEARER + "test_nothing_but_authorization_is_looked_at_unless_asked",
    ),
    "D18": row(
        "an issuer's answer taken for another's",
        JWT + "test_another_issuers_token_meets_none_of_our_keys",
        "net/test_metadata.py::test_another_issuer_is_refused",
        RESPONSES + "test_another_provider_is_not",
        RESPONSES + "test_an_answer_without_iss_is_refused_where_it_is_advertised",
        "specs/oidc/test_jarm.py::test_what_is_wrong_is_refused",
    ),
    "E1": row(
        "name A's ticket resumed under name B",
        TLS + "test_a_session_of_one_name_opens_no_other",
        TLS + "test_tls_1_2_gives_no_session",
        TLS + "test_no_session_of_tls_1_3_is_resumed",
        CONTEXT + "test_a_session_of_one_name_is_not_resumed_under_another",
        CONTEXT + "test_a_listener_that_asks_for_certificates_resumes_nothing",
        BOUND + "test_no_session_is_resumed",
        BOUND + "test_a_session_of_another_listener_is_not_resumed",
    ),
    "E2": row(
        "odd spellings of a name; Host is not the name",
        TLS + "test_no_spelling_of_a_name_gets_around_its_authority",
        TLS + "test_another_host_than_the_name_is_misdirected",
        CONTEXT + "test_names_with_different_rules_have_different_policies",
    ),
    "E3": row(
        "a ClientHello in several records",
        TLS + "test_a_hello_in_pieces_chooses_the_same_rules",
        CONTEXT + "test_a_client_hello_in_small_records_is_read_whole",
        BOUND + "test_a_client_hello_in_pieces_is_read_whole",
    ),
    "E4": row(
        "HTTP/3 and 0-RTT ignore client certificates",
        TLS + "test_no_session_of_tls_1_3_is_resumed",
        why="HTTP/3 is not spoken; nothing is resumed, hence no early data",
    ),
    "E5": row(
        "a CA file that is missing opens",
        TLS + "test_a_file_that_is_missing_stops_the_start",
        "net/tls/test_plan.py::test_a_ca_file_that_is_not_there_is_a_mistake",
    ),
    "E6": row(
        "empty TLS options open",
        TLS + "test_a_file_that_is_missing_stops_the_start",
        "net/tls/test_plan.py::test_asking_for_certificates_needs_a_ca",
        "config/test_listener_rules.py::test_tls_without_certificate_or_key_is_refused",
    ),
    "E8": row(
        "stale fields about certificates",
        TLS + "test_a_stale_certificate_field_is_not_passed_on",
        PROVED + "test_what_clients_say_of_keys_themselves_is_never_passed_on",
        PROVED + "test_nobody_else_is_believed",
        STRIPPED,
    ),
    "E9": row(
        "handshakes that stall",
        LIMITS + "test_a_handshake_that_stalls_is_cut_off",
        TLS + "test_stalled_handshakes_do_not_slow_the_others",
    ),
    "E11": row(
        "plaintext before TLS is complete",
        TLS + "test_what_comes_before_the_handshake_is_not_http",
        TLS + "test_what_a_backend_says_before_the_handshake_is_no_answer",
        "net/test_tunnel.py::test_octets_before_tls_are_refused",
    ),
    "E12": row(
        "keying material without extended master secret",
        "net/tls/test_facts.py::"
        "test_without_extended_master_secret_nothing_is_exported",
        BOUND + "test_without_extended_master_secret_nothing_is_agreed_on",
        BOUND + "test_a_server_that_leaves_it_out_closes_the_connection",
        BOUND + "test_without_secure_renegotiation_nothing_is_agreed_on",
        PROVED + "test_a_captured_header_is_refused_on_every_other_connection",
        PROVED + "test_a_token_and_header_that_were_seen_are_of_no_use_elsewhere",
    ),
    "F1": row(
        "two lengths, length and coding, LF",
        REFUSED + "[lengths-differ]",
        REFUSED + "[length-and-te]",
        REFUSED + "[te-list]",
        REFUSED + "[lf-line]",
    ),
    "F2": row(
        "+3, 0x3, 1_0, LF in an extension",
        REFUSED + "[length-sign]",
        REFUSED + "[length-hex]",
        REFUSED + "[length-underscore]",
        REFUSED + "[chunk-sign]",
        REFUSED + "[chunk-extension-lf]",
    ),
    "F3": row(
        "answers out of order",
        ANSWERS + "test_answers_come_in_the_order_of_the_requests",
        ANSWERS + "test_concurrent_clients_get_their_own_answers",
        EXACTLY,
    ),
    "F4": row(
        "bare LF in a chunk's line, huge extensions",
        REFUSED + "[chunk-size-lf]",
        REFUSED + "[chunk-data-lf]",
        REFUSED + "[chunk-extension-long]",
        REFUSED + "[chunk-waste]",
    ),
    "F5": row("framing copied instead of made", ALLOWED + "[chunked]", EXACTLY),
    "F6": row(
        "GET, HEAD, OPTIONS with a body",
        ALLOWED + "[get-with-body]",
        ALLOWED + "[delete-with-chunks]",
        EXACTLY,
    ),
    "F7": row(
        "races and disguises of Expect",
        ANSWERS + "test_we_answer_100_and_the_backend_never_sees_the_expectation",
        ANSWERS + "test_a_body_that_does_not_wait_for_100_needs_none",
        ANSWERS + "test_who_is_refused_is_not_asked_for_the_body",
        REFUSED + "[expect-obfuscated]",
        REFUSED + "[expect-other]",
        BESIDE + "test_nothing_that_is_expected_leads_past_us",
    ),
    "F8": row(
        "floods of HTTP/2 frames",
        NO_HTTP_2,
        REFUSED + "[preface-of-http-2]",
        why="HTTP/2 is not spoken",
    ),
    "F9": row("bad HPACK hangs", NO_HTTP_2, why="HTTP/2 is not spoken"),
    "F10": row(
        "downgrade from HTTP/2",
        NO_HTTP_2,
        ALLOWED + "[upgrade-elsewhere]",
        why="HTTP/2 is not spoken, nor switched to",
    ),
    "F11": row(
        "the next user gets what was left on a connection",
        REFUSED + "[connect]",
        ANSWERS + "test_what_follows_an_answer_reaches_nobody",
        ANSWERS + "test_an_answer_that_comes_late_and_unasked_reaches_nobody",
        ANSWERS + "test_an_early_answer_ends_both_connections",
    ),
    "F12": row(
        "split, truncated, bodies where there are none",
        ANSWERS + "test_an_answer_that_cannot_be_read_is_502",
        ANSWERS + "test_a_truncated_answer_is_cut_and_never_completed",
        ANSWERS + "test_a_body_in_an_answer_to_head_reaches_nobody",
        ANSWERS + "test_what_follows_an_answer_reaches_nobody",
    ),
    "F13": row(
        "a tunnel that the backend never opened",
        ANSWERS + "test_a_bad_handshake_is_refused_before_any_backend",
        ANSWERS + "test_without_a_switch_what_follows_are_requests",
        ANSWERS + "test_a_switch_that_is_not_proved_is_none",
    ),
    "F14": row(
        "slow heads, slow bodies, slow readers",
        LIMITS + "test_a_field_now_and_then_is_cut_off",
        LIMITS + "test_a_slow_body_is_cut_off",
        LIMITS + "test_who_reads_nothing_is_cut_off",
        LIMITS + "test_slow_clients_do_not_slow_the_others",
    ),
}
