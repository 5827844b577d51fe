"""The forms that services document, as JSON Schemas written by hand: the parts of them that are used here, closed, so
that a name that the service does not know, or a text that is too long for it, does not pass.

Sources: docs.slack.dev (chat.postMessage, chat.update, Block Kit, attachments), discord.com/developers (Execute
Webhook, Embed), developers.google.com/workspace/chat (Message, Card v2), adaptivecards.io (1.4), docs.rocket.chat
(incoming webhooks), developer.pagerduty.com (Events API v2), Alertmanager's openapi.yaml (postableAlerts), the
CloudEvents 1.0 JSON format.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
_SPELT = {"_dollar_schema": "$schema", "_class": "class"}


def text(most: int, least: int = 1) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": most}


def shape(required: tuple[str, ...], /, **properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {_SPELT.get(name, name): schema for name, schema in properties.items()},
        "additionalProperties": False,
    }


def listed(of: Schema, most: int, least: int = 1) -> Schema:
    return {"type": "array", "items": of, "maxItems": most, "minItems": least}


def only(*values: object) -> Schema:
    return {"enum": list(values)}


URL = {"type": "string", "pattern": "^https?://", "maxLength": 3000}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}

# --- Slack --------------------------------------------------------------------------------------------------------

_MRKDWN = shape(("type", "text", "verbatim"), type=only("mrkdwn"), text=text(3000), verbatim=only(True))
_FIELD = shape(("type", "text", "verbatim"), type=only("mrkdwn"), text=text(2000), verbatim=only(True))
_SECTION = {
    **shape(("type",), type=only("section"), text=_MRKDWN, fields=listed(_FIELD, 10)),
    "anyOf": [{"required": ["text"]}, {"required": ["fields"]}],
}
_SLACK: dict[str, Schema] = {
    "text": text(4000),
    "attachments": listed(
        shape(("blocks",), color={"type": "string", "pattern": "^#"}, fallback=text(4000), blocks=listed(_SECTION, 50)),
        20,
    ),
}
_SLACK_NEW: dict[str, Schema] = {
    **_SLACK,
    "username": text(80),
    "icon_emoji": {"type": "string", "pattern": "^:.+:$"},
    "icon_url": URL,
    "unfurl_links": only(False),
    "unfurl_media": only(False),
}
SLACK_WEBHOOK = shape(("text",), channel=text(80), **_SLACK_NEW)
_STAMP = {"type": "string", "pattern": r"^\d+\.\d{6}$"}
SLACK_POST = shape(("channel", "text"), channel=text(80), thread_ts=_STAMP, **_SLACK_NEW)
SLACK_UPDATE = shape(("channel", "ts"), channel={"type": "string", "pattern": "^C[0-9A-Z]+$"}, ts=_STAMP, **_SLACK)

# --- Discord ------------------------------------------------------------------------------------------------------

DISCORD = shape(
    ("embeds", "allowed_mentions"),
    username=text(80),
    avatar_url=URL,
    content=text(2000),
    allowed_mentions=shape(("parse",), parse={"type": "array", "maxItems": 0}),
    embeds=listed(
        shape(
            (),
            title=text(256),
            description=text(4096),
            color={"type": "integer", "minimum": 0, "maximum": 0xFFFFFF},
            timestamp=TIME,
            fields=listed(
                shape(("name", "value"), name=text(256), value=text(1024), inline={"type": "boolean"}), 25, 0
            ),
        ),
        10,
    ),
)


def discord_total(said: Any) -> int:
    """The characters that count towards the 6,000 of all embeds."""
    return sum(
        len(embed.get("title", ""))
        + len(embed.get("description", ""))
        + sum(len(field["name"]) + len(field["value"]) for field in embed.get("fields", []))
        for embed in said["embeds"]
    )


# --- Rocket.Chat --------------------------------------------------------------------------------------------------

ROCKET = shape(
    ("text",),
    text=text(5000),
    channel=text(100),
    username=text(100),
    emoji={"type": "string", "pattern": "^:.+:$"},
    avatar=URL,
    attachments=listed(
        shape(
            (),
            color={"type": "string", "pattern": "^#"},
            title=text(5000),
            text=text(20_000),
            fields=listed(
                shape(("title", "value"), title=text(200), value=text(5000), short={"type": "boolean"}), 20, 0
            ),
        ),
        10,
    ),
)

# --- Google Chat --------------------------------------------------------------------------------------------------

_WIDGET = {
    "oneOf": [
        shape(("textParagraph",), textParagraph=shape(("text",), text=text(4096))),
        shape(
            ("decoratedText",),
            decoratedText=shape(("text",), topLabel=text(200), text=text(4096), wrapText={"type": "boolean"}),
        ),
        shape(
            ("buttonList",),
            buttonList=shape(
                ("buttons",),
                buttons=listed(
                    shape(
                        ("text", "onClick"),
                        text=text(100),
                        onClick=shape(("openLink",), openLink=shape(("url",), url=URL)),
                    ),
                    6,
                ),
            ),
        ),
    ]
}
GCHAT = shape(
    ("cardsV2",),
    cardsV2=listed(
        shape(
            ("cardId", "card"),
            cardId=text(100),
            card=shape(
                ("sections",),
                header=shape(("title",), title=text(200), subtitle=text(1000)),
                sections=listed(shape(("widgets",), widgets=listed(_WIDGET, 100)), 100),
            ),
        ),
        1,
    ),
    thread=shape(("threadKey",), threadKey=text(4000)),
)

# --- Microsoft Teams ----------------------------------------------------------------------------------------------

_ELEMENT = {
    "oneOf": [
        shape(
            ("type", "text"),
            type=only("TextBlock"),
            text=text(28_000),
            weight=only("Lighter", "Default", "Bolder"),
            size=only("Small", "Default", "Medium", "Large", "ExtraLarge"),
            color=only("Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"),
            wrap={"type": "boolean"},
            isSubtle={"type": "boolean"},
        ),
        shape(
            ("type", "facts"),
            type=only("FactSet"),
            facts=listed(shape(("title", "value"), title=text(200), value=text(28_000)), 50),
        ),
    ]
}
_CARD = shape(
    ("type", "version", "body"),
    _dollar_schema=only("http://adaptivecards.io/schemas/adaptive-card.json"),
    type=only("AdaptiveCard"),
    version=only("1.4"),
    body=listed(_ELEMENT, 50),
    actions=listed(shape(("type", "url"), type=only("Action.OpenUrl"), title=text(100), url=URL), 6),
    fallbackText=text(28_000),
    msteams=shape((), width=only("Full")),
)
MSTEAMS = shape(
    ("type", "attachments"),
    type=only("message"),
    attachments=listed(
        shape(
            ("contentType", "content"),
            contentType=only("application/vnd.microsoft.card.adaptive"),
            contentUrl={"type": "null"},
            content=_CARD,
        ),
        1,
    ),
)

# --- alerts -------------------------------------------------------------------------------------------------------

ALERTMANAGER = listed(
    shape(
        ("labels",),
        labels={
            **TEXTS,
            "required": ["alertname"],
            "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
        },
        annotations=TEXTS,
        startsAt=TIME,
        endsAt=TIME,
        generatorURL=URL,
    ),
    10,
)
_PAGERDUTY_KEYS = {
    "routing_key": {"type": "string", "pattern": "^[0-9a-zA-Z]{32}$"},
    "dedup_key": text(255),
}
PAGERDUTY = {
    "oneOf": [
        shape(
            ("routing_key", "event_action", "dedup_key"), event_action=only("resolve", "acknowledge"), **_PAGERDUTY_KEYS
        ),
        shape(
            ("routing_key", "event_action", "payload"),
            event_action=only("trigger"),
            client=text(255),
            client_url=URL,
            links=listed(shape(("href",), href=URL, text=text(255)), 10, 0),
            payload=shape(
                ("summary", "source", "severity"),
                summary=text(1024),
                source=text(255),
                severity=only("critical", "error", "warning", "info"),
                timestamp=TIME,
                component=text(255),
                group=text(255),
                _class=text(255),
                custom_details=TEXTS,
            ),
            **_PAGERDUTY_KEYS,
        ),
    ]
}
CLOUDEVENTS: Schema = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "propertyNames": {"pattern": "^[a-z0-9]{1,20}$"},
    "properties": {
        "specversion": only("1.0"),
        "id": text(4000),
        "source": {"type": "string", "minLength": 1, "format": "uri-reference", "pattern": r"^[^\s]+$"},
        "type": {"type": "string", "pattern": r"^dev\.rollway\.rollout\.[a-z]+$"},
        "subject": text(4000),
        "time": TIME,
        "datacontenttype": only("application/json"),
        "data": {"type": "object"},
    },
}
