"""The admission webhook: whether the API server asks where somebody answers, and trusts who answers."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from interpreter.admission.keeper import CONFIGURATION, SECRET
from interpreter.cluster.api import Api
from interpreter.objects import Manifest, Ref
from rollway.cluster.doctor.controllers import Controller
from rollway.cluster.doctor.finding import Area, Finding, Findings, Verdict

KIND = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
RENEW = "restart the controller, which then makes a certificate anew: kubectl -n {} rollout restart deployment/{}"


async def admission(api: Api, ours: list[Controller]) -> Findings:
    """What is amiss with it, if it is there or wanted."""
    configuration = await api.get(Ref(*KIND, "", CONFIGURATION))
    serving = next((one for one in ours if one.says("--admission")), None)
    if configuration is None and serving is None:
        yield _finding(
            Verdict.NOTE, "no admission webhook: a bad policy is refused by the controller, after it is taken"
        )
    elif configuration is None:
        said = f"the controller {serving} is to answer the API server, and there is no {KIND[1]} `{CONFIGURATION}`"
        yield _finding(Verdict.WRONG, said, "rollway install --admission open | kubectl apply --server-side -f -")
    elif serving is None:
        closed = any(hook.get("failurePolicy") == "Fail" for hook in configuration.get("webhooks") or ())
        then = "refuses every policy" if closed else "waits for an answer in vain before it takes a policy"
        said = f"no controller answers for the {KIND[1]} `{CONFIGURATION}`: the API server {then}"
        do = f"start the controller with --admission, or kubectl delete validatingwebhookconfiguration {CONFIGURATION}"
        yield _finding(Verdict.WRONG, said, do)
    else:
        secret = await api.get(Ref("v1", "Secret", serving.namespace, _secret(serving)))
        yield _trust(configuration, secret, serving)


def _secret(one: Controller) -> str:
    """Our own, or the one of cert-manager's that the folder is mounted from."""
    if not one.says("--admission-certificates"):
        return SECRET
    volumes = (volume.get("secret") or {} for volume in one.pod.get("volumes") or ())
    return next((str(secret["secretName"]) for secret in volumes if "secretName" in secret), SECRET)


def _trust(configuration: Manifest, secret: Manifest | None, one: Controller) -> Finding:
    do = RENEW.format(one.namespace, one.name)
    if secret is None:
        return _finding(Verdict.WRONG, f"the Secret {one.namespace}/{_secret(one)} with its certificate is missing", do)
    try:
        pem = base64.b64decode((secret.get("data") or {}).get("tls.crt", ""))
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return _finding(Verdict.WRONG, f"the Secret {one.namespace}/{_secret(one)} holds no certificate", do)
    if certificate.not_valid_after_utc < datetime.now(UTC):
        return _finding(Verdict.WRONG, f"the certificate of the webhook ended on {certificate.not_valid_after_utc}", do)
    for hook in configuration.get("webhooks") or ():
        problem = _distrust(hook["clientConfig"].get("caBundle", ""), certificate)
        if problem is not None:
            return _finding(Verdict.WRONG, f"the API server does not trust the webhook {hook['name']}: {problem}", do)
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    return _finding(Verdict.OK, f"the API server trusts the admission webhook's certificate, which holds until {until}")


def _distrust(bundle: str, certificate: x509.Certificate) -> str | None:
    """Why an API server that was told this `caBundle` does not believe this certificate."""
    if not bundle:
        return "its caBundle is empty"
    try:
        authorities = x509.load_pem_x509_certificates(base64.b64decode(bundle))
    except ValueError:
        return "its caBundle holds no certificate"
    if any(_signed_by(certificate, authority) for authority in authorities):
        return None
    return "its caBundle has none that signed the certificate that the controller shows"


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _finding(verdict: Verdict, what: str, do: str = "") -> Finding:
    return Finding(Area.INSTALLED, verdict, what, do)
