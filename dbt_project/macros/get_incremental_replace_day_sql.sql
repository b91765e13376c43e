{#-
The incremental strategy of the marts: the processed day's rows are replaced by the new ones, in one transaction.
delete+insert takes the days to delete from the new rows, so a day that became empty would keep its old rows.
-#}
{%- macro get_incremental_replace_day_sql(arg_dict) -%}
    {%- set columns = get_quoted_csv(
        arg_dict["dest_columns"] | map(attribute="name")
    ) -%}
    {{
        [
            "delete from "
            ~ arg_dict["target_relation"]
            ~ " where day = "
            ~ processed_day(),
            "insert into "
            ~ arg_dict["target_relation"]
            ~ " ("
            ~ columns
            ~ ") select "
            ~ columns
            ~ " from "
            ~ arg_dict["temp_relation"],
        ] | join("; ")
    }}
{%- endmacro -%}
