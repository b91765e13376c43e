{#-
A component: a column held between 0 and 1; what is no number counts as 0. Rounded, so that the last digit of a float cannot decide
between two candidates.
-#}
{%- macro share(component) -%}
    round(
        least(
            1.0,
            greatest(0.0, coalesce(nullif({{ component }}::double, 'nan'::double), 0.0))
        )::double,
        6
    )
{%- endmacro -%}

{#- What the weighted sum of components is divided by, so that a score stays between 0 and 1 whatever weights are set. -#}
{%- macro weight_sum() -%}
    {{
        (
            var("weight_salience")
            + var("weight_specificity")
            + var("weight_evidence")
            + var("weight_novelty")
            + var("weight_corroboration")
            + var("weight_freshness")
            + var("weight_feed")
            + var("weight_topics")
        ) | round(6)
    }}
{%- endmacro -%}
