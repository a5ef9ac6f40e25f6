import { Label, Radio, RadioGroup } from 'react-aria-components';

export interface Option<Value extends string> {
  readonly value: Value;
  readonly name: string;
  readonly text: string;
}

interface Props<Value extends string> {
  label: string;
  value: Value;
  options: readonly Option<Value>[];
  onChange: (value: Value) => void;
}

/** One of a few, each with a sentence on what it means. */
export function Choice<Value extends string>({ label, value, options, onChange }: Props<Value>) {
  return (
    <RadioGroup className="field" value={value} onChange={(chosen) => onChange(chosen as Value)}>
      <Label className="field-label">{label}</Label>
      <div className="choices">
        {options.map((option) => (
          <Radio key={option.value} value={option.value} className="choice">
            <span className="choice-dot" aria-hidden="true" />
            <span>
              <span className="choice-name" data-choice={option.name}>
                {option.name}
              </span>
              <span className="choice-text">{option.text}</span>
            </span>
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
