{#- Another claim as a digest names it: who said it, when, and where to hear it. -#}
{%- macro claim_link() -%}
    {
        'show_title':show_title,
        'day':day,
        'insight_id':other_insight_id,
        'headline':other_headline,
        'episode_url':other_episode_url
    }
{%- endmacro -%}
