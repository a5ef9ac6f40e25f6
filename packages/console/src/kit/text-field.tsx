import { TextField as Field, FieldError, Input, Label, Text, type TextFieldProps } from 'react-aria-components';

interface Props extends Omit<TextFieldProps, 'className' | 'style' | 'children'> {
  label: string;
  placeholder?: string;
  /** What it is for, below it. */
  hint?: string;
  /** `code`: digits that are read off something and typed; `secret`: signs that are compared one by one. */
  look?: 'text' | 'code' | 'secret';
}

/** One line of text with its label and, when it is wrong, why. */
export function TextField({ label, placeholder, hint, look = 'text', ...rest }: Props) {
  return (
    <Field {...rest} className="field">
      <Label className="field-label">{label}</Label>
      <Input className={`input input-${look}`} placeholder={placeholder ?? ''} />
      {hint && (
        <Text slot="description" className="field-hint">
          {hint}
        </Text>
      )}
      <FieldError className="field-error" />
    </Field>
  );
}
