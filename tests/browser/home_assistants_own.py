"""What axe-core finds on the pages of Home Assistant itself, which nobody here can mend."""

from collections.abc import Mapping
from typing import Final

_FIELD: Final = "Home Assistant names the field of an action by the row around it"
_ICON: Final = "Home Assistant's icons name themselves in a tooltip only"
_LANDMARKS: Final = "Home Assistant's pages have no landmark around their content"
_THEME: Final = "the colors are those of Home Assistant's theme"
_TABS: Final = "Home Assistant draws the tabs and headers of its pages"
_YAML: Final = "Home Assistant's editor of YAML"

# By the rule: the elements that may have it, or something in it that has it, with the
# reason. What is in a text or card of ours is known only by the name of that.
PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "aria-allowed-role": {"ha-top-app-bar-fixed": _TABS},
    "aria-input-field-name": {"ha-code-editor": _YAML},
    "aria-required-children": {
        "dialog-add-integration": "the list of integrations is drawn as it is scrolled"
    },
    "aria-valid-attr-value": {
        "ha-expansion-panel": "a folded section names what is drawn once it is unfolded"
    },
    "button-name": {"ha-icon-button": _ICON},
    "color-contrast": {
        "ha-code-editor": _THEME,
        "ha-config-integration-page": _THEME,
        "ha-device-entities-card": _THEME,
        "ha-device-info-card": _THEME,
        "ha-input": _THEME,
        "ha-markdown": "the color of a link is that of Home Assistant's theme",
        "dialog-repairs-issue-subtitle": _THEME,
    },
    "heading-order": {
        "ha-config-integration-page": "the heading of the list skips a level",
        "ha-logbook": "the headings of Activity skip levels",
    },
    "image-redundant-alt": {
        "ha-device-info-card": "the integration's icon stands beside its name"
    },
    "label": {"ha-checkbox": _FIELD, "ha-service-control": _FIELD},
    "label-title-only": {
        "ha-checkbox": _FIELD,
        "ha-input-search": "the field for a search has a placeholder only",
        "ha-service-control": _FIELD,
    },
    "landmark-no-duplicate-banner": {"ha-top-app-bar-fixed": _TABS},
    "landmark-one-main": {"html": _LANDMARKS},
    "landmark-unique": {
        "ha-list-nav": "the two lists of the sidebar have one name",
        "ha-top-app-bar-fixed": _TABS,
    },
    "link-name": {
        "ha-config-device-page": _ICON,
        "ha-config-integration-page": _ICON,
        "ha-dialog": _ICON,
    },
    "list": {"ha-device-entities-card": "the rows of a card are no items of its list"},
    "meta-viewport": {"meta": "Home Assistant forbids to enlarge its pages"},
    "nested-interactive": {
        "ha-list-item-button": "the rows of entries and devices have buttons in them",
        "ha-tab-group-tab": _TABS,
    },
    "page-has-heading-one": {"html": "the page of the settings has no such heading"},
    "region": {
        "ha-toast": _LANDMARKS,
        "home-assistant-main": _LANDMARKS,
        "hui-vertical-stack-card": _LANDMARKS,
    },
    "scrollable-region-focusable": {"ha-code-editor": _YAML},
}
