"""The whole API on one screen: method, path, who may call, who does it, what comes out, what goes in."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from idverify.web import collect, people, public, schema, verify
from idverify.web.endpoint import Caller, Endpoint

KEY, ANY = Caller.API_KEY, Caller.ANYBODY
V1: Final = "/api/v1"
PERSON: Final = V1 + "/people/{person:[0-9a-f]{32}}"
PROPOSAL: Final = V1 + "/proposals/{proposal:[0-9a-f]{32}}"
CREDENTIAL: Final = V1 + "/credentials/{credential:[0-9a-f]{32}}"
Answers = dict[int, type[BaseModel] | None]
HEALTH: Final[Answers] = {200: schema.Health, 503: schema.Health}
DECIDED: Final[Answers] = {201: schema.DecisionMade, 202: schema.ProposalMade}
REQUESTED: Final[Answers] = {201: schema.VerificationRequestMade}
OTHER_MEDIA: Final[Answers] = {200: None}

# fmt: off
ROUTES: Final[tuple[Endpoint, ...]] = (
    # officers
    Endpoint("POST", V1 + "/people", people.create, KEY, {201: schema.PersonReference}, schema.NewPerson),
    Endpoint("POST", V1 + "/people/search", people.search, KEY, {200: schema.PersonReference}, schema.PersonSearch),
    Endpoint("GET", PERSON, people.read, KEY, {200: schema.PersonView}),
    Endpoint("POST", PERSON + "/decisions", people.make_decision, KEY, DECIDED, schema.NewDecision),
    Endpoint("POST", PERSON + "/offers", people.make_offer, KEY, {201: schema.OfferMade}, schema.NewOffer),
    Endpoint("GET", V1 + "/proposals", people.list_proposals, KEY, {200: schema.Proposals}),
    Endpoint("POST", PROPOSAL + "/approval", people.approve_proposal, KEY, {201: schema.DecisionMade}),
    # holders
    Endpoint("POST", V1 + "/credentials", collect.collect, ANY, {201: schema.Collected}, schema.Collection,
             ("Idempotency-Key", "Prefer")),
    Endpoint("GET", CREDENTIAL + "/receipt", collect.receipt, ANY, OTHER_MEDIA, None, ("Authorization", "Prefer")),
    # verifiers
    Endpoint("POST", V1 + "/verification-requests", verify.request_presentation, KEY, REQUESTED,
             schema.NewVerificationRequest),
    Endpoint("POST", V1 + "/verify", verify.verify, KEY, {200: schema.VerdictView}, schema.Submitted),
    # everybody
    Endpoint("GET", V1 + "/trust-bundle", public.trust_bundle, ANY, OTHER_MEDIA),
    Endpoint("GET", "/status/{list:[0-9]{1,9}}", public.status_list, ANY, OTHER_MEDIA),
    Endpoint("GET", "/pki/root.cer", public.root_certificate, ANY, OTHER_MEDIA),
    Endpoint("GET", "/pki/crl.der", public.crl, ANY, OTHER_MEDIA),
    Endpoint("GET", "/livez", public.livez, ANY, {200: schema.Health}),
    Endpoint("GET", "/readyz", public.readyz, ANY, HEALTH),
    Endpoint("GET", "/openapi.json", public.openapi, ANY, OTHER_MEDIA),
)
