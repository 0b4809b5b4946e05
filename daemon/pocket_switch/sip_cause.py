"""What a SIP call's end says: the cause and the variables FreeSWITCH would set for it."""

from __future__ import annotations

from pocket_switch import causes


def of_final_response(status: int, phrase: str, message: str) -> tuple[str, dict[str, str]]:
    """The INVITE was refused with `status`. message: the whole response, for its Reason header."""
    cause = causes.of_reason_header(message) or causes.of_sip_status(status)
    variables = {
        "sip_hangup_disposition": "recv_refuse",
        "sip_invite_failure_status": str(status),
        "sip_invite_failure_phrase": phrase,
        "proto_specific_hangup_cause": f"sip:{status}",
    }
    if not 300 <= status < 400:
        variables["sip_term_status"] = str(status)
        variables["sip_term_cause"] = str(causes.q850(cause))
    return cause, variables


def of_bye(message: str) -> tuple[str, dict[str, str]]:
    """The far end hung up an answered call."""
    cause = causes.of_reason_header(message) or "NORMAL_CLEARING"
    return cause, {
        "sip_term_status": "200",
        "proto_specific_hangup_cause": "sip:200",
        "sip_term_cause": str(causes.q850(cause)),
        "sip_hangup_disposition": "recv_bye",
    }


def of_our_own(answered: bool) -> dict[str, str]:
    """We hung up: by BYE, or by CANCEL while it rang."""
    if answered:
        return {"sip_hangup_disposition": "send_bye"}
    return {
        "sip_hangup_disposition": "send_cancel",
        "sip_invite_failure_status": "487",
        "sip_invite_failure_phrase": "CANCEL",
    }
