{#-
The similarity below which a pair of claims counts as unrelated: with all bonuses it would still reach neither threshold. Also the zero
of the scale on which novelty and variety measure nearness.
-#}
{%- macro related_nearness() -%}
    {{
        (
            [var("same_claim_nearness"), var("variety_nearness")]
            | min
            - var("quantity_bonus") * var("quantity_bonus_max")
            - var("name_bonus") * var("name_bonus_max")
        ) | round(4)
    }}
{%- endmacro -%}

{#- A nearness on the scale from 0 (unrelated) to 1 (the same claim); null counts as unrelated. -#}
{%- macro nearness_share(nearness) -%}
    round(
        least(
            1,
            greatest(
                0,
                (coalesce({{ nearness }}, 0) - {{ related_nearness() }})
                / ({{ var("same_claim_nearness") }} - {{ related_nearness() }})
            )
        ),
        6
    )
{%- endmacro -%}
