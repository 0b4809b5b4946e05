"""Real SIP and RTP by PJSIP (pjsua2). Everything here runs on the worker's main thread, but for
the two frame callbacks, which PJSIP's media clock calls each 20 ms.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pjsua2 as pj

from pocket_switch import sip_cause
from pocket_switch.media import RealMedia
from pocket_switch.options import CALLS_PER_WORKER, DTMF_PAYLOAD, RTP_PORTS_PER_WORKER
from pocket_switch.sounds import FRAME_BYTES, FRAME_MS, RATE_HZ, SILENT_FRAME
from pocket_switch.telephone_event import offer_payload

if TYPE_CHECKING:
    from pocket_switch.channel import Channel

log = logging.getLogger("pocket.sip")
_TOO_MANY = 70_010  # PJ_ETOOMANY
# PJSIP up to 2.16 may take a call's RTP socket away while its media clock sends on it; then the
# whole process ends (pjproject pull request 5016). So nothing is sent any more when it does so: the
# clock, which ticks each 20 ms, is told first, and given two ticks.
_QUIET_S = 2.5 * FRAME_MS / 1000
_LOG_LEVELS = {"DEBUG": 5}  # of PJSIP; its errors come as exceptions, which we log ourselves


class NoRoom(RuntimeError):
    """PJSIP holds on to calls that have ended but whose INVITE is still unanswered."""


class SipStack:
    """One PJSIP endpoint: one UDP port, CALLS_PER_WORKER calls."""

    def __init__(self, host: str, ports: range, rtp_port: int, log_level: str) -> None:
        """ports: the first that is free is taken. Raises OSError when none is."""
        self.host = host
        self._ports: list[_MediaPort] = []
        self.endpoint = pj.Endpoint()
        with _quiet_stdout():
            self.endpoint.libCreate()  # its first lines ignore the log level
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0  # callbacks come on the thread that polls, ours
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = CALLS_PER_WORKER
        config.uaConfig.userAgent = "Duecall pocket switch"
        config.logConfig.level = config.logConfig.consoleLevel = _LOG_LEVELS.get(log_level, 0)
        media = config.medConfig
        media.clockRate = media.sndClockRate = RATE_HZ
        media.audioFramePtime = media.ptime = FRAME_MS
        media.ecTailLen = 0
        media.noVad = True  # silence is sent too: recordings and callees want an even stream
        media.threadCnt = 1
        self.endpoint.libInit(config)
        port = self.port = self._bind(ports)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()  # a clock, no sound card
        for codec in self.endpoint.codecEnum2():
            name = codec.codecId
            priority = 255 if name.startswith("PCMU/") else 254 if name.startswith("PCMA/") else 0
            self.endpoint.codecSetPriority(name, priority)
        account = pj.AccountConfig()
        account.idUri = f"sip:duecall@{host}:{port}"
        rtp = account.mediaConfig.transportConfig
        rtp.boundAddress, rtp.port, rtp.portRange = host, rtp_port, RTP_PORTS_PER_WORKER - 2
        self.account = _Account()
        self.account.create(account)
        # Made once and used again: an object of Python's must not die under the media thread.
        self._ports = [_MediaPort(f"leg{n}") for n in range(CALLS_PER_WORKER)]
        self.live: set[SipLine] = set()
        self._dead: list[SipLine] = []

    def _bind(self, ports: range) -> int:
        for port in ports:
            transport = pj.TransportConfig()
            transport.port, transport.boundAddress = port, self.host
            try:
                self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
            except pj.Error:
                log.info("SIP port %d is taken", port)
                continue
            log.info("SIP on %s:%d", self.host, port)
            return port
        raise OSError(f"none of the UDP ports {list(ports)} is free; see --sip-port-base")

    def poll(self, milliseconds: int) -> None:
        self.endpoint.libHandleEvents(milliseconds)
        # A pjsua2 call must not be deleted inside its own callback.
        for line in self._dead:
            line.forget()
        self._dead.clear()

    def take_port(self) -> _MediaPort | None:
        return next((port for port in self._ports if port.media is None), None)

    def bury(self, line: SipLine) -> None:
        self.live.discard(line)
        self._dead.append(line)

    def close(self) -> None:
        self.endpoint.libDestroy()


@contextlib.contextmanager
def _quiet_stdout() -> Iterator[None]:
    saved, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(nowhere)


class _Account(pj.Account):  # type: ignore[misc]
    def onIncomingCall(self, prm: Any) -> None:
        """Nobody can call in."""
        call = pj.Call(self, prm.callId)
        answer = pj.CallOpParam()
        answer.statusCode = 403
        call.answer(answer)


class _MediaPort(pj.AudioMediaPort):  # type: ignore[misc]
    """The bridge between PJSIP's conference and one leg's RealMedia; idle while `media` is None."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.media: RealMedia | None = None
        self._silence = pj.ByteVector(SILENT_FRAME)
        form = pj.MediaFormatAudio()
        form.init(pj.PJMEDIA_FORMAT_PCM, RATE_HZ, 1, FRAME_MS * 1_000, 16)
        self.createPort(name, form)

    def onFrameRequested(self, frame: Any) -> None:
        media = self.media
        data = media.say() if media is not None else None
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        frame.buf = self._silence if data is None else pj.ByteVector(data)
        frame.size = FRAME_BYTES

    def onFrameReceived(self, frame: Any) -> None:
        media = self.media
        if media is not None and media.listening:
            data = bytes(list(frame.buf))
            media.hear(data if len(data) == FRAME_BYTES else SILENT_FRAME)


class _Call(pj.Call):  # type: ignore[misc]
    """Hands PJSIP's callbacks on. An exception in one must not reach C++."""

    def __init__(self, account: _Account, line: SipLine) -> None:
        super().__init__(account)
        self.line: SipLine | None = line

    def _hand_on(self, what: Callable[[SipLine], None]) -> None:
        if self.line is not None:
            try:
                what(self.line)
            except Exception:
                log.exception("in a callback of PJSIP")

    def onCallState(self, prm: Any) -> None:
        self._hand_on(lambda line: line.on_state(self.getInfo(), _message(prm.e)))

    def onCallMediaState(self, prm: Any) -> None:
        self._hand_on(lambda line: line.on_media(self.getInfo()))

    def onStreamDestroyed(self, prm: Any) -> None:
        self._hand_on(lambda line: line.on_media_ends())

    def onDtmfDigit(self, prm: Any) -> None:
        digit, by_info = prm.digit, prm.method == pj.PJSUA_DTMF_METHOD_SIP_INFO
        self._hand_on(lambda line: line.on_digit(digit, by_info))

    def onCallSdpCreated(self, prm: Any) -> None:
        prm.sdp.wholeSdp = offer_payload(prm.sdp.wholeSdp, DTMF_PAYLOAD)

    def onCallRedirected(self, prm: Any) -> int:
        self._hand_on(lambda line: line.on_redirected(_message(prm.e)))
        return int(pj.PJSIP_REDIRECT_STOP)


class SipLine:
    """One outbound SIP call. uri: where it goes; caller: shown name and number.

    freed: called when PJSIP has let go of the call, which may be long after the leg has ended: an
    INVITE that nobody answers is repeated for 32 s, and holds one of the few calls there are.
    """

    speed = 1.0

    def __init__(
        self,
        stack: SipStack,
        channel: Channel,
        uri: str,
        caller: tuple[str, str],
        freed: Callable[[], None],
    ) -> None:
        self._freed = freed
        self.media: RealMedia = RealMedia()
        self._stack, self._channel, self._uri, self._caller = stack, channel, uri, caller
        self._call: _Call | None = None
        self._port: _MediaPort | None = None
        self._audio: pj.AudioMedia | None = None  # of the call, while it may be sent to
        self._ended = False
        self._ours = False
        self._telephone_event = False
        self._redirect = ""

    # ---- what the channel asks

    def dial(self) -> None:
        self._stack.live.add(self)
        call = self._call = _Call(self._stack.account, self)
        parameters = pj.CallOpParam(True)
        parameters.opt.audioCount, parameters.opt.videoCount = 1, 0
        name, number = self._caller
        shown = f'"{name}" ' if name else ""
        local = f"{self._stack.host}:{self._stack.port}"
        parameters.txOption.localUri = f"{shown}<sip:{number or 'anonymous'}@{local}>"
        try:
            call.makeCall(self._uri, parameters)
        except pj.Error as error:
            if error.status == _TOO_MANY:
                call.line = self._call = None
                self._stack.live.discard(self)
                raise NoRoom from None
            log.error("cannot dial: %s", error.reason)
            self._end("DESTINATION_OUT_OF_ORDER", {})

    def hang_up(self, cause: str) -> None:
        """CANCEL or BYE."""
        if self._ended or self._call is None:
            return
        self._ours = True
        try:
            self._call.hangup(pj.CallOpParam())
        except pj.Error as error:
            log.warning("hanging up: %s", error.reason)

    def our_end(self, answered: bool) -> dict[str, str]:
        return sip_cause.of_our_own(answered)

    # ---- what PJSIP reports

    def on_state(self, info: Any, message: str) -> None:
        state, status = info.state, info.lastStatusCode
        self._telephone_event |= "telephone-event/8000" in message
        if state == pj.PJSIP_INV_STATE_EARLY and status == 180:
            self._note(info)
            self._channel.ringing()
        elif state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._note(info)
            self._channel.answered()
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._note(info)
            if self._ours:
                self._end("", {})
            elif self._channel.times.answered:
                self._end(*sip_cause.of_bye(message))
            elif self._redirect:
                status_text, _, phrase = self._redirect.partition(" ")
                self._end(*sip_cause.of_final_response(int(status_text), phrase, ""))
            else:
                self._end(*sip_cause.of_final_response(status, info.lastReason, message))

    def on_redirected(self, message: str) -> None:
        words = message.split("\r\n", 1)[0].split(" ", 2)
        self._redirect = " ".join(words[1:]) if len(words) > 1 else "302 Moved Temporarily"

    def on_media(self, info: Any) -> None:
        if self._port is None and self._has_audio(info):
            port = self._port = self._stack.take_port()
            if port is None:
                raise RuntimeError("no media port is free, yet PJSIP gave us a call")
            port.media = self.media
            assert self._call is not None
            audio = self._audio = self._call.getAudioMedia(-1)
            audio.startTransmit(port)
            port.startTransmit(audio)
            self._channel.variables.update(self._codec_variables())
        if info.state == pj.PJSIP_INV_STATE_EARLY and self._has_audio(info):
            self._channel.early_media()

    def on_media_ends(self) -> None:
        """PJSIP is about to take the sound's socket away: nothing may be sent on it meanwhile."""
        self._channel.sound_ends()
        if self._port is not None and self._audio is not None:
            self._port.stopTransmit(self._audio)
            self._audio = None
            time.sleep(_QUIET_S)

    def on_digit(self, digit: str, by_info: bool) -> None:
        """As FreeSWITCH: keys by SIP INFO are not heard where telephone-event was agreed."""
        if not (by_info and self._telephone_event):
            self._channel.sent_key(digit)

    # ---- inside

    @staticmethod
    def _has_audio(info: Any) -> bool:
        return any(
            media.type == pj.PJMEDIA_TYPE_AUDIO
            and media.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
            for media in info.media
        )

    def _codec_variables(self) -> dict[str, str]:
        assert self._call is not None
        try:
            stream = self._call.getStreamInfo(0)
        except pj.Error:
            return {}
        host, _, port = stream.remoteRtpAddress.rpartition(":")
        return {
            "read_codec": stream.codecName,
            "read_rate": "8000",
            "write_codec": stream.codecName,
            "write_rate": "8000",
            "rtp_use_codec_name": stream.codecName,
            "dtmf_type": "rfc2833",
            "rtp_2833_send_payload": str(stream.txPt if stream.txPt > 95 else DTMF_PAYLOAD),
            "rtp_2833_recv_payload": str(DTMF_PAYLOAD),
            "remote_media_ip": host,
            "remote_media_port": port,
        }

    def _note(self, info: Any) -> None:
        """What the SIP messages so far tell, under FreeSWITCH's names."""
        self._channel.variables |= {
            "sip_call_id": info.callIdString,
            "sip_full_to": info.remoteUri,
            "sip_full_from": info.localUri,
        }

    def _end(self, cause: str, variables: dict[str, str]) -> None:
        if self._ended:
            return
        self._ended = True
        if cause:
            self._channel.line_ended(cause, variables)
        self._stack.bury(self)

    def forget(self) -> None:
        """The call object dies here, outside any callback, and its media port is free again."""
        if self._port is not None:
            self._port.media = None
            self._port = None
        if self._call is not None:
            self._call.line = None
            self._call = None
            self._freed()


def _message(event: Any) -> str:
    """The SIP message that brought an event about; empty where none did."""
    try:
        return str(event.body.tsxState.src.rdata.wholeMsg or event.body.rxMsg.rdata.wholeMsg)
    except AttributeError:
        return ""
